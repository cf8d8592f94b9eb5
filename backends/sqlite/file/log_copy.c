#include "backends/sqlite/file/log_copy.h"

#include <stdio.h>

/* How long to wait for the log. */
#define COPY_TIMEOUT_MS 1000

/* RESTART waits for readers of the log, also of other processes, so that it is reset. Those of
 * servers end within a quarter of a second. */
int log_copy_run(struct sqlite_file *file, int mode)
{
	int log_pages = 0;
	int copied_pages = 0;

	(void)pthread_mutex_lock(&file->space.copy_lock);
	(void)sqlite3_busy_timeout(file->space.db, COPY_TIMEOUT_MS);
	file->space.release_readers(file->space.user);
	int code = sqlite3_wal_checkpoint_v2(file->space.db, NULL, mode, &log_pages, &copied_pages);
	/* Transactions that began meanwhile. */
	file->space.release_readers(file->space.user);
	(void)sqlite3_busy_timeout(file->space.db, 0);
	(void)pthread_mutex_unlock(&file->space.copy_lock);
	file->space.log_is_copied = code == SQLITE_OK && copied_pages == log_pages;
	return code;
}

void log_copy_path(const struct sqlite_file *file, char ret[LOG_PATH_SIZE])
{
	(void)snprintf(ret, LOG_PATH_SIZE, "%s-wal", file->path);
}
