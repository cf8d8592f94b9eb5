/* A backup is one more process that uses the database: it reads one snapshot and copies it page by
 * page.
 *
 * SQLite's backup API copies in steps, but starts over if another process has committed between two
 * of them: with a server that is written to it might never end. A read transaction held on the
 * source's connection prevents that, because the connection then sees no later commit. VACUUM INTO
 * would read one snapshot too, but it rebuilds the whole file, row by row and index by index, which
 * takes several times the work and holds the snapshot that much longer, in one statement that
 * reports no progress.
 *
 * The cost of the snapshot: while it is held, the write-ahead log is copied into the database file
 * only up to it, and is not reset. So the log grows by what is written meanwhile. The writer itself
 * is never stopped. The snapshot ends before the copy is checked.
 *
 * The source is not written to: no checkpoint is run, the schema is not completed, and a log that a
 * killed server has left is read in place. SQLite's readers do write to the log's index (-shm), and
 * if no process has the database open they create it and an empty log; both are removed again. */
#include "backends/sqlite/file/backup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sqlite/file/file.h"

/* Pages between two checks whether to go on: 1 MiB. */
#define STEP_PAGES 256
/* Instructions of SQLite's machine between two such checks while the copy is verified. */
#define CHECK_INSTRUCTIONS 100000
#define BUSY_NAP_MS        20
/* Nobody else uses the copy: no locks, which some network file systems lack. */
#define COPY_VFS "unix-none"

struct copy {
	struct backup_job *job;
	char path[4096]; /* of the source */
	sqlite3 *from, *to;
	uint64_t total_bytes;
	bool stopped;
};

static enum backup_result fail(struct copy *copy, enum backup_result result, const char *format,
			       ...) __attribute__((format(printf, 3, 4)));

static enum backup_result fail(struct copy *copy, enum backup_result result, const char *format,
			       ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(copy->job->error, sizeof(copy->job->error), format, args);
	va_end(args);
	return result;
}

/* The error that SQLite reported for the source. */
static enum backup_result fail_source(struct copy *copy, int code)
{
	if (copy->stopped)
		return BACKUP_STOPPED;
	switch (code & 0xFF) {
	case SQLITE_NOTADB:
		return fail(copy, BACKUP_REFUSED, "%s is not a database of steadycache",
			    copy->path);
	case SQLITE_CORRUPT:
		return fail(copy, BACKUP_REFUSED, "%s is damaged (%s)", copy->path,
			    sqlite3_errstr(code));
	case SQLITE_BUSY:
		return fail(copy, BACKUP_FAILED, "%s is locked by another process", copy->path);
	default:
		return fail(copy, BACKUP_FAILED, "cannot read %s: %s", copy->path,
			    sqlite3_errstr(code));
	}
}

/* The error that SQLite reported for the copy; `system_error` is the errno of that moment. */
static enum backup_result fail_copy(struct copy *copy, int code, int system_error)
{
	const char *why = sqlite3_errstr(code);

	if ((code & 0xFF) == SQLITE_FULL)
		why = strerror(ENOSPC);
	else if ((code & 0xFF) == SQLITE_IOERR && system_error != 0)
		why = strerror(system_error);
	return fail(copy, BACKUP_FAILED, "cannot write %s: %s", copy->job->to_name, why);
}

/* The first column of the first row, as a number. SQLITE_ROW, or the error. */
static int ask(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return code;
}

static int run(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static bool goes_on(struct copy *copy, uint64_t done_bytes)
{
	struct backup_job *job = copy->job;

	copy->stopped = copy->stopped ||
			(job->passed && !job->passed(job->user, done_bytes, copy->total_bytes));
	return !copy->stopped;
}

/* ---- The source ---- */

/* Another process has locked it, for example while it recovers or closes it. */
static int wait_a_little(void *user, int waited_before)
{
	if (waited_before >= BUSY_TIMEOUT_MS / BUSY_NAP_MS || !goes_on(user, 0))
		return 0;
	(void)sqlite3_sleep(BUSY_NAP_MS);
	return 1;
}

/* Opens the source and begins the snapshot. */
static enum backup_result open_source(struct copy *copy)
{
	const char *data_dir = copy->job->data_dir;
	int length = snprintf(copy->path, sizeof(copy->path), "%s/" DATABASE_NAME, data_dir);
	struct stat status;
	struct stat target;
	int64_t tables = 0, application_id = 0, version = 0, rows = 0;

	if (length < 0 || (size_t)length >= sizeof(copy->path))
		return fail(copy, BACKUP_FAILED, "the data directory's path is too long");
	if (stat(copy->path, &status) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return fail(copy, BACKUP_NO_DATABASE,
			    "there is no database in %s (no %s); a server with another backend "
			    "keeps none: use steadycache export",
			    data_dir, DATABASE_NAME);
	if (stat(copy->job->to_name, &target) == 0 && target.st_dev == status.st_dev &&
	    target.st_ino == status.st_ino)
		return fail(copy, BACKUP_FAILED, "%s is the database itself", copy->job->to_name);
	int code = sqlite3_open_v2(copy->path, &copy->from,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_db_config(copy->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_busy_handler(copy->from, wait_a_little, copy);
	if (code == SQLITE_OK)
		code = run(copy->from, "PRAGMA query_only=1; BEGIN");
	if (code == SQLITE_OK)
		code = ask(copy->from, "SELECT count(*) FROM sqlite_schema", &tables);
	if (code == SQLITE_ROW)
		code = ask(copy->from, "PRAGMA application_id", &application_id);
	if (code == SQLITE_ROW)
		code = ask(copy->from, "PRAGMA user_version", &version);
	if (code != SQLITE_ROW)
		return fail_source(copy, code);
	if (tables == 0 || application_id != APPLICATION_ID)
		return fail(copy, BACKUP_REFUSED, "%s is not a database of steadycache",
			    copy->path);
	if (version != SCHEMA_VERSION && version != MIGRATED_SCHEMA_VERSION)
		return fail(copy, BACKUP_REFUSED,
			    "%s has a schema of version %lld, and this program knows only version "
			    "%d; use the program that made it",
			    copy->path, (long long)version, SCHEMA_VERSION);
	code = ask(copy->from, "SELECT count(*) FROM meta", &rows);
	return code == SQLITE_ROW ? BACKUP_DONE : fail_source(copy, code);
}

/* Ends the snapshot. If this is the only connection and the log is empty, SQLite may remove the
 * files that were created for it: it has nothing to write. */
static void close_source(struct copy *copy)
{
	char log_path[sizeof(copy->path) + 8];
	struct stat status;

	(void)snprintf(log_path, sizeof(log_path), "%s-wal", copy->path);
	if (copy->from && stat(log_path, &status) == 0 && status.st_size == 0)
		(void)sqlite3_db_config(copy->from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	(void)sqlite3_close(copy->from);
	copy->from = NULL;
}

/* ---- The copy ---- */

static int look_while_checking(void *user)
{
	struct copy *copy = user;

	return !goes_on(copy, copy->total_bytes);
}

/* Opens a connection to the copy. On any failure the copy is thrown away, so it needs neither a
 * journal nor syncs, and no memory shared with other processes. */
static int open_copy(struct copy *copy)
{
	int code = sqlite3_open_v2(copy->job->to_path, &copy->to,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, COPY_VFS);

	return code == SQLITE_OK
		       ? run(copy->to, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF")
		       : code;
}

static enum backup_result copy_pages(struct copy *copy)
{
	int64_t page_bytes = 0;
	int code = ask(copy->from, "PRAGMA page_size", &page_bytes);
	if (code != SQLITE_ROW)
		return fail_source(copy, code);

	errno = 0;
	code = open_copy(copy);
	if (code == SQLITE_OK)
		code = run(copy->to, "PRAGMA journal_mode=OFF");
	sqlite3_backup *backup = code == SQLITE_OK
					 ? sqlite3_backup_init(copy->to, "main", copy->from, "main")
					 : NULL;
	if (!backup)
		return fail_copy(copy, code == SQLITE_OK ? sqlite3_errcode(copy->to) : code, errno);
	do {
		errno = 0;
		code = sqlite3_backup_step(backup, STEP_PAGES);

		int64_t count = sqlite3_backup_pagecount(backup);
		int64_t left = sqlite3_backup_remaining(backup);
		copy->total_bytes = (uint64_t)(count * page_bytes);
		if ((code == SQLITE_OK || code == SQLITE_DONE) &&
		    !goes_on(copy, (uint64_t)((count - left) * page_bytes)))
			break;
	} while (code == SQLITE_OK);

	int system_error = errno;
	(void)sqlite3_backup_finish(backup);
	if (copy->stopped)
		return BACKUP_STOPPED;
	if (code == SQLITE_DONE)
		return BACKUP_DONE;
	/* The code alone tells which side failed. */
	return code == SQLITE_IOERR_READ || code == SQLITE_IOERR_SHORT_READ ||
			       (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_BUSY
		       ? fail_source(copy, code)
		       : fail_copy(copy, code, system_error);
}

#define TEXT_SIZE 200

static int keep_text(void *user, int count, char **texts, char **names)
{
	char *text = user;

	(void)names;
	(void)snprintf(text, TEXT_SIZE, "%s", count > 0 && texts[0] ? texts[0] : "");
	for (char *at = text; (at = strchr(at, '\n'));)
		*at = ' ';
	return 0;
}

/* Makes the copy one plain file, without its own log (the server enables that again), and reads all
 * of it. */
static enum backup_result check_copy(struct copy *copy)
{
	struct backup_job *job = copy->job;
	char mode[TEXT_SIZE] = "", verdict[TEXT_SIZE] = "";
	int64_t entries = 0, namespaces = 0;

	errno = 0;
	int code = open_copy(copy);
	if (code == SQLITE_OK)
		code = sqlite3_exec(copy->to, "PRAGMA journal_mode=DELETE", keep_text, mode, NULL);
	if (code == SQLITE_OK && strcmp(mode, "delete") != 0)
		code = SQLITE_IOERR;
	if (code != SQLITE_OK && (code & 0xFF) != SQLITE_CORRUPT)
		return fail_copy(copy, code, errno);
	sqlite3_progress_handler(copy->to, CHECK_INSTRUCTIONS, look_while_checking, copy);
	if (code == SQLITE_OK)
		code = sqlite3_exec(copy->to, "PRAGMA quick_check(1)", keep_text, verdict, NULL);
	if (code == SQLITE_OK && strcmp(verdict, "ok") != 0)
		return fail(copy, BACKUP_REFUSED, "%s is damaged (%s)", copy->path, verdict);
	if (code == SQLITE_OK)
		code = ask(copy->to, "SELECT coalesce(sum(entry_count), 0) FROM namespaces",
			   &entries);
	if (code == SQLITE_ROW)
		code = ask(copy->to, "SELECT count(*) FROM namespaces", &namespaces);
	if (copy->stopped)
		return BACKUP_STOPPED;
	if ((code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB)
		return fail_source(copy, code);
	if (code != SQLITE_ROW)
		return fail_copy(copy, code, errno);
	job->bytes = copy->total_bytes;
	job->entries = (uint64_t)entries;
	job->namespaces = (uint64_t)namespaces;
	return BACKUP_DONE;
}

static void close_copy(struct copy *copy)
{
	(void)sqlite3_close(copy->to);
	copy->to = NULL;
}

enum backup_result sqlite_backup(struct backup_job *job)
{
	struct copy copy = {.job = job};
	enum backup_result result = open_source(&copy);

	if (result == BACKUP_DONE)
		result = copy_pages(&copy);
	close_copy(&copy);
	close_source(&copy);
	if (result == BACKUP_DONE)
		result = check_copy(&copy);
	close_copy(&copy);
	return result;
}
