#include "backends/sqlite/file/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int database_error(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	return code == SQLITE_OK ? SQLITE_NOMEM : code;
}

int database_execute(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int database_ask(sqlite3 *db, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	int final = sqlite3_finalize(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? code : final;
}

sqlite3_stmt *database_prepare_statement(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK)
		return NULL;
	return statement;
}

int database_run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);
	int reset = sqlite3_reset(statement);

	return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_DONE : reset;
}

enum cache_status database_status(sqlite3 *db, int code)
{
	int system_error = sqlite3_system_errno(db);

	switch (code & 0xFF) {
	case SQLITE_FULL:
		return CACHE_NO_SPACE;
	case SQLITE_IOERR:
		/* SQLite treats only ENOSPC as a full disk. */
		if (system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG)
			return CACHE_NO_SPACE;
		return system_error == EROFS ? CACHE_READ_ONLY : CACHE_UNAVAILABLE;
	case SQLITE_READONLY:
		return CACHE_READ_ONLY;
	case SQLITE_NOMEM:
		return CACHE_NO_MEMORY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_CANTOPEN:
	case SQLITE_PROTOCOL:
		return CACHE_UNAVAILABLE;
	case SQLITE_TOOBIG:
		return CACHE_TOO_LARGE;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return CACHE_CORRUPT;
	default:
		return CACHE_INTERNAL;
	}
}

/* Whether the cause is an error of the system. */
static bool is_system_failure(int code)
{
	int primary = code & 0xFF;

	return primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
}

enum cache_status database_refuse(struct sqlite_file *file, sqlite3 *db, int code,
				  struct cache_op *op)
{
	enum cache_status status = database_status(db, code);

	if (atomic_load(&file->mapping.short_reads) > 0)
		file_watch_note_cut(file);
	enum file_state state = file_watch_state(&file->watch);
	if (state != FILES_IN_PLACE && (is_system_failure(code) || status == CACHE_CORRUPT)) {
		op->detail = file_watch_text(state);
		return CACHE_UNAVAILABLE;
	}
	if (status == CACHE_UNAVAILABLE && is_system_failure(code))
		op->detail = database_failure_text(db);
	return status;
}

const char *database_failure_text(sqlite3 *db)
{
	int system_error = sqlite3_system_errno(db);

	return system_error == EMFILE || system_error == ENFILE
		       ? "the server has no file descriptor left for the database: raise its limit "
			 "(ulimit -n), or try again"
		       : "the files of the database cannot be read or written now: look at their "
			 "disk, or try again";
}

void database_disconnect(struct sqlite_file *file, sqlite3 *db)
{
	char log_path[sizeof(file->path) + 8];
	struct stat status;

	(void)snprintf(log_path, sizeof(log_path), "%s-wal", file->path);
	if (db && file->is_read_only) {
		/* An empty log, and its index, were made for reading, unless another process has
		 * them open: SQLite may remove them, as there is nothing to write. */
		if (stat(log_path, &status) == 0 && status.st_size == 0)
			(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	} else if (db && file_watch_state(&file->watch) != FILES_IN_PLACE) {
		(void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	}
	(void)sqlite3_close(db);
}

/* A pragma must answer with the text `expected`. */
static int set_mode(sqlite3 *db, const char *sql, const char *expected)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	const char *mode =
		code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	bool is_set = mode && strcmp(mode, expected) == 0;
	int final = sqlite3_finalize(statement);
	if (is_set)
		return SQLITE_OK;
	/* Only the text says that a file cannot have a log. */
	return final != SQLITE_OK ? final : SQLITE_CANTOPEN;
}

int database_use_log(sqlite3 *db)
{
	return set_mode(db, "PRAGMA journal_mode=WAL", "wal");
}

int database_read_only(sqlite3 *db)
{
	/* The log stays as it is, too. */
	int code = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);

	return code == SQLITE_OK ? database_execute(db, "PRAGMA query_only=1") : code;
}

static int set_up(const struct sqlite_file *file, sqlite3 *db)
{
	static const char *const pragmas[] = {
		"PRAGMA mmap_size=1073741824", /* any value: mapping.c decides */
		"PRAGMA wal_autocheckpoint=0",
		"PRAGMA journal_size_limit=67108864",
	};
	int64_t tables = 0;
	int code = sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);

	if (code == SQLITE_OK && file->is_read_only)
		code = database_read_only(db);
	else if (code == SQLITE_OK)
		code = database_use_log(db);
	if (code == SQLITE_OK)
		code = database_execute(db, file->config->durability == DURABILITY_FULL
						    ? "PRAGMA synchronous=FULL"
						    : "PRAGMA synchronous=NORMAL");
	for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]) && code == SQLITE_OK; i++)
		code = database_execute(db, pragmas[i]);
	/* Opens the log and its index. */
	if (code == SQLITE_OK)
		code = database_ask(db, "SELECT count(*) FROM sqlite_schema", &tables);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

sqlite3 *database_connect(struct sqlite_file *file, char *error, size_t error_size)
{
	/* One thread at a time uses a connection, under a lock of ours. The file exists. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(file->path, &db, flags, file->mapping.name);

	if (code == SQLITE_OK)
		code = set_up(file, db);
	if (code == SQLITE_OK)
		return db;
	database_explain(file, db, code, "cannot open", error, error_size);
	(void)sqlite3_close(db);
	return NULL;
}

void database_explain(const struct sqlite_file *file, sqlite3 *db, int code, const char *failed,
		      char *error, size_t error_size)
{
	int system_error = db ? sqlite3_system_errno(db) : 0;
	bool is_system = (code & 0xFF) == SQLITE_IOERR || (code & 0xFF) == SQLITE_CANTOPEN ||
			 (code & 0xFF) == SQLITE_READONLY;
	const char *why = sqlite3_errstr(code);

	if ((code & 0xFF) == SQLITE_BUSY)
		why = "it is locked by another program";
	else if (is_system && system_error != 0)
		why = strerror(system_error);
	(void)snprintf(error, error_size, "%s %s: %s", failed, file->path, why);
}
