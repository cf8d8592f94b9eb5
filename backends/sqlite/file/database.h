/* Connections to the database, statements on them, and the meaning of their errors. */
#ifndef STEADYCACHE_SQLITE_DATABASE_H
#define STEADYCACHE_SQLITE_DATABASE_H

#include <sqlite3.h>

#include "backends/sqlite/file/file.h"

/* Opens another connection to the prepared file; NULL with a sentence in `error`. */
sqlite3 *database_connect(struct sqlite_file *file, char *error, size_t error_size);
/* Closes a connection. If the files are not in their places any more, the content of the log stays
 * there. NULL is allowed. */
void database_disconnect(struct sqlite_file *file, sqlite3 *db);
/* Switches the file to a write-ahead log. SQLITE_OK or an error. */
int database_use_log(sqlite3 *db);
/* The connection changes nothing, and copies no log when it is closed. SQLITE_OK or an error. */
int database_read_only(sqlite3 *db);

/* SQLITE_OK or an error. */
int database_execute(sqlite3 *db, const char *sql);
/* The first column of the first row of `sql`: SQLITE_ROW, SQLITE_DONE if there is none, or an
 * error. *ret is written with a row only. */
int database_ask(sqlite3 *db, const char *sql, int64_t *ret);
/* Prepares a statement that lives as long as its connection; NULL on failure. */
sqlite3_stmt *database_prepare_statement(sqlite3 *db, const char *sql);
/* Runs a statement to its end and resets it: SQLITE_DONE or an error, never SQLITE_ROW. */
int database_run(sqlite3_stmt *statement);

/* The error of the last failed call on `db`; never SQLITE_OK, which SQLite reports for some that
 * ran out of memory. */
int database_error(sqlite3 *db);
/* The status for the user if SQLite said `code`. */
enum cache_status database_status(sqlite3 *db, int code);
/* The same for an operation, with a sentence that says more if there is one (op->detail). */
enum cache_status database_refuse(struct sqlite_file *file, sqlite3 *db, int code,
				  struct cache_op *op);
/* A sentence for a client whose operation failed by an error of the system on `db`; static
 * storage. */
const char *database_failure_text(sqlite3 *db);
/* Writes the sentence "`failed` PATH: why", from the error of `db`, which may be NULL. */
void database_explain(const struct sqlite_file *file, sqlite3 *db, int code, const char *failed,
		      char *error, size_t error_size);

#endif
