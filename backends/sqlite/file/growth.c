#include "backends/sqlite/file/growth.h"

#include <stdio.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/volume.h"
#include "base/invariant.h"

/* On an ordinary volume; a small one has shorter logs. */
#define SOFT_PAGES 2000
#define HARD_PAGES 16384
#define NO_LIMIT   INT64_C(0xFFFFFFFE)

/* Returns the limit in force: never less than the existing pages; 0: it could not be set, and is
 * unchanged. */
int64_t growth_set_limit(struct sqlite_file *file, int64_t pages)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld",
		       (long long)(pages < NO_LIMIT ? pages : NO_LIMIT));
	int64_t limit = 0;
	(void)database_ask(file->space.db, sql, &limit);
	return limit;
}

/* Pages in the database file, without those that only the log has; -1: unknown. */
int64_t growth_file_pages(struct sqlite_file *file)
{
	sqlite3_file *open_file = NULL;
	sqlite3_int64 bytes = 0;

	if (sqlite3_file_control(file->space.db, "main", SQLITE_FCNTL_FILE_POINTER,
				 (void *)&open_file) != SQLITE_OK ||
	    !open_file || !open_file->pMethods ||
	    open_file->pMethods->xFileSize(open_file, &bytes) != SQLITE_OK)
		return -1;
	return bytes / file->space.page_bytes;
}

/* Lets the database grow by what the reserve covers; some of it is for the file system's own
 * records. A reader that keeps the log from being copied, as a backup may for long, must not stop
 * the writing if there is room enough. */
void growth_allow(struct sqlite_file *file)
{
	struct space *space = &file->space;
	int64_t covered_bytes = reserve_bytes(&space->reserve) / 16 * 15;
	int64_t covered = covered_bytes / space->page_bytes;

	if (covered == 0) {
		(void)growth_set_limit(file, NO_LIMIT);
		return;
	}
	int64_t copied = growth_file_pages(file);
	int64_t pages = 0;
	if (copied < 0 || database_ask(file->space.db, "PRAGMA page_count", &pages) != SQLITE_ROW)
		return; /* the next copy of the log */
	int64_t limit = copied + covered;
	if (limit - pages < covered / 2 &&
	    volume_available(file->path) >=
		    (pages - copied) * space->page_bytes + 4 * covered_bytes)
		limit = pages + covered;
	(void)growth_set_limit(file, limit);
}

void growth_stop(struct sqlite_file *file)
{
	(void)growth_set_limit(file, 1);
}

static int lesser(int64_t pages, int most)
{
	return pages < most ? (int)pages : most;
}

/* The lengths for the current reserve. */
void growth_set_lengths(struct sqlite_file *file)
{
	struct space *space = &file->space;
	int64_t bytes = reserve_bytes(&space->reserve);
	char sql[64];

	if (bytes == 0 && atomic_load(&space->impossible))
		bytes = RESERVE_MAX_BYTES;
	else if (bytes < RESERVE_MIN_BYTES)
		bytes = RESERVE_MIN_BYTES;
	atomic_store(&space->soft_pages, lesser(bytes / 4 / space->page_bytes, SOFT_PAGES));
	atomic_store(&space->hard_pages, lesser(bytes / space->page_bytes, HARD_PAGES));
	INVARIANT(atomic_load(&space->soft_pages) <= atomic_load(&space->hard_pages));
	space->group_bytes = bytes / 4;
	/* Removes what an op too large for the volume left in the log's file. */
	(void)snprintf(sql, sizeof(sql), "PRAGMA journal_size_limit=%lld", (long long)bytes);
	(void)sqlite3_exec(file->space.db, sql, NULL, NULL, NULL);
}
