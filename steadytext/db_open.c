#include "steadytext/db_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

/* SteadyText's own writes are short. */
#define BUSY_MS 10000
/* Of the file format: how it begins, and its version for reading, 2 with a WAL. */
#define MAGIC        "SQLite format 3"
#define HEADER_BYTES 100
/* The bytes that SQLite locks: pending, reserved, and the range of readers. */
#define LOCK_FROM  0x40000000
#define LOCK_BYTES 512

enum attempt { OPENED, REFUSED, NEEDS_FOLDER };

static bool refuse(char *reason, size_t reason_size, const char *text)
{
	(void)snprintf(reason, reason_size, "%s", text);
	return false;
}

/* PATH with `suffix` behind it, to be freed. */
static char *beside(const char *path, const char *suffix)
{
	char *ret = NULL;

	return asprintf(&ret, "%s%s", path, suffix) < 0 ? NULL : ret;
}

/* Whether there is a file beside PATH, and how long it is (-1: none); false if it is no regular
 * file. */
static bool look_beside(const char *path, const char *suffix, off_t *ret_size)
{
	char *name = beside(path, suffix);
	struct stat found;
	bool is_there = name && lstat(name, &found) == 0;

	free(name);
	*ret_size = is_there ? found.st_size : -1;
	return !is_there || S_ISREG(found.st_mode);
}

/* "file:PATH?immutable=1", to be freed. */
static char *immutable_url(const char *path)
{
	struct buffer url = {0};

	buffer_append(&url, SLICE("file:"));
	for (const char *at = path; *at; at++)
		if (strchr("%?#", *at))
			buffer_printf(&url, "%%%02X", (unsigned)*at);
		else
			buffer_append_char(&url, *at);
	buffer_append(&url, SLICE("?immutable=1"));
	buffer_append_char(&url, '\0');
	if (!url.failed)
		return url.data;
	buffer_deinit(&url);
	return NULL;
}

/* Without a lock, which makes nothing. */
static bool check_header(struct sqlite3 *sql, char *reason, size_t reason_size)
{
	char header[HEADER_BYTES] = "";
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(sql, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file) !=
		    SQLITE_OK ||
	    !file || !file->pMethods)
		return refuse(reason, reason_size, "cannot be read");
	int read = file->pMethods->xRead(file, header, HEADER_BYTES, 0);
	if (read != SQLITE_OK && read != SQLITE_IOERR_SHORT_READ)
		return refuse(reason, reason_size, "cannot be read");
	if (memcmp(header, MAGIC, sizeof(MAGIC)) != 0)
		return refuse(reason, reason_size, "is no SQLite database, or is damaged");
	return true;
}

/* A stranger wrote the schema: nothing that it names may run, and nothing is mapped that may be cut
 * off. */
static void distrust(struct sqlite3 *sql)
{
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_exec(sql, "PRAGMA mmap_size=0", NULL, NULL, NULL);
	(void)sqlite3_exec(sql, "PRAGMA cell_size_check=1", NULL, NULL, NULL);
	(void)sqlite3_exec(sql, "PRAGMA query_only=1", NULL, NULL, NULL);
	(void)sqlite3_exec(sql, "PRAGMA temp_store=2", NULL, NULL, NULL);
	(void)sqlite3_busy_timeout(sql, BUSY_MS);
}

static void describe(struct sqlite3 *sql, char *reason, size_t reason_size)
{
	int primary = sqlite3_errcode(sql) & 0xff;

	if (primary == SQLITE_BUSY)
		(void)refuse(reason, reason_size, "is locked by another process");
	else if (primary == SQLITE_CANTOPEN && sqlite3_system_errno(sql) != 0)
		(void)snprintf(reason, reason_size, "cannot be opened: %s",
			       strerror(sqlite3_system_errno(sql)));
	else
		(void)snprintf(reason, reason_size, "cannot be read: %s", sqlite3_errmsg(sql));
}

/* Opens `name`, and reads the first page as any reader does. */
static enum attempt attempt(struct steadytext_db_open *db, const char *name, bool is_url,
			    char *reason, size_t reason_size)
{
	int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_PRIVATECACHE | (is_url ? SQLITE_OPEN_URI : 0);
	enum attempt outcome = REFUSED;

	if (sqlite3_open_v2(name, &db->sql, flags, NULL) != SQLITE_OK) {
		describe(db->sql, reason, reason_size);
	} else if (check_header(db->sql, reason, reason_size)) {
		distrust(db->sql);
		db->was_read = true;
		int result = sqlite3_exec(db->sql, "SELECT 1 FROM sqlite_schema LIMIT 1", NULL,
					  NULL, NULL);
		int primary = result & 0xff;
		if (result == SQLITE_OK)
			return OPENED;
		if (primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)
			outcome = NEEDS_FOLDER;
		describe(db->sql, reason, reason_size);
	}
	(void)sqlite3_close(db->sql);
	db->sql = NULL;
	return outcome;
}

/* The file alone is the database, as it has no -wal, and nobody has it open: who has makes one. */
static bool open_immutable(struct steadytext_db_open *db, char *reason, size_t reason_size)
{
	char *url = immutable_url(db->path);

	db->is_immutable = true;
	bool is_open = url && lstat(db->path, &db->before) == 0 &&
		       attempt(db, url, true, reason, reason_size) == OPENED;
	free(url);
	return is_open;
}

static bool open_somehow(struct steadytext_db_open *db, char *reason, size_t reason_size)
{
	off_t wal = 0;
	off_t shm = 0;
	off_t journal = 0;

	if (!look_beside(db->path, "-wal", &wal) || !look_beside(db->path, "-shm", &shm) ||
	    !look_beside(db->path, "-journal", &journal))
		return refuse(reason, reason_size, "has a -wal, -shm or -journal that is no file");
	db->had_wal = wal >= 0;
	db->had_shm = shm >= 0;
	switch (attempt(db, db->path, false, reason, reason_size)) {
	case OPENED:
		return true;
	case REFUSED:
		return false;
	case NEEDS_FOLDER:
		break;
	}
	if (journal > 0)
		return refuse(reason, reason_size,
			      "was not closed in order: open it with SteadyText once");
	if (wal > 0)
		return refuse(reason, reason_size,
			      "has newer entries in its -wal, which cannot be read without write "
			      "access to the folder: open it with SteadyText once, or give that "
			      "access");
	return open_immutable(db, reason, reason_size);
}

bool steadytext_db_open(struct steadytext_db_open *ret, const char *path, char *reason,
			size_t reason_size)
{
	*ret = (struct steadytext_db_open){.path = strdup(path)};
	if (!ret->path)
		return refuse(reason, reason_size, "cannot be read: out of memory");
	if (open_somehow(ret, reason, reason_size))
		return true;
	steadytext_db_open_end(ret);
	return false;
}

bool steadytext_db_open_is_unchanged(const struct steadytext_db_open *db)
{
	const struct stat *before = &db->before;
	struct stat now;
	off_t wal = 0;

	if (!db->is_immutable)
		return true;
	return lstat(db->path, &now) == 0 && look_beside(db->path, "-wal", &wal) && wal <= 0 &&
	       now.st_ino == before->st_ino && now.st_size == before->st_size &&
	       now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

/* ---- Leaving no trace ---- */

static void remove_beside(const char *path, const char *suffix, bool only_empty)
{
	char *name = beside(path, suffix);
	struct stat found;

	if (name && lstat(name, &found) == 0 && S_ISREG(found.st_mode) &&
	    (!only_empty || found.st_size == 0))
		(void)unlink(name);
	free(name);
}

/* With the lock that SQLite itself takes for this: nobody has the database open, nor can open it
 * meanwhile. A -wal into which somebody wrote stays. */
static void remove_made(const struct steadytext_db_open *db)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = LOCK_FROM,
		.l_len = LOCK_BYTES,
	};
	int file = open(db->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (file < 0)
		return;
	if (fcntl(file, F_OFD_SETLK, &lock) == 0) {
		if (!db->had_wal)
			remove_beside(db->path, "-wal", true);
		remove_beside(db->path, "-shm", false);
	}
	(void)close(file);
}

void steadytext_db_open_end(struct steadytext_db_open *db)
{
	(void)sqlite3_close(db->sql);
	/* Who has it open, in this process too, has a -shm. */
	if (db->was_read && !db->is_immutable && !db->had_shm)
		remove_made(db);
	free(db->path);
	*db = (struct steadytext_db_open){0};
}
