/* Files of the shapes that SteadyText's caches have: .db by SQLite, .pkl byte by byte. A failure
 * aborts the test program. */
#ifndef STEADYCACHE_TEST_STEADYTEXT_FILES_H
#define STEADYCACHE_TEST_STEADYTEXT_FILES_H

#include <stdint.h>

#include "base/buffer.h"

struct sqlite3;

/* Opens the database PATH as SteadyText does, its tables made, in WAL mode. */
struct sqlite3 *steadytext_db_make(const char *path);
/* Runs SQL that must succeed. */
void steadytext_db_run(struct sqlite3 *db, const char *sql);
/* The key column for a key of these parts, in static memory. */
const char *steadytext_column(const char *const *parts, size_t count);
/* Adds a row. `column` is what the key column has. */
void steadytext_db_add(struct sqlite3 *db, const char *column, struct slice value,
		       int64_t frequency, int64_t last_access_us);
/* Closes it; the last one that does so empties the -wal. */
void steadytext_db_end(struct sqlite3 *db);

/* Appends the pickle of a str: all of it, and only the opcodes for it. */
void pickle_text(struct buffer *ret, struct slice text);
void pickle_text_part(struct buffer *ret, struct slice text);
/* Appends the opcodes for an int. */
void pickle_int_part(struct buffer *ret, int64_t number);

/* A .pkl under construction; a zeroed one is empty. */
struct pkl {
	struct buffer data, meta;
};

/* Adds an entry of a str. */
void pkl_add(struct pkl *pkl, struct slice key, struct slice value, int64_t frequency,
	     int64_t counter);
/* Adds one from opcodes for its key and its value; no meta. */
void pkl_add_parts(struct pkl *pkl, struct slice key, struct slice value);
/* The whole pickle, of protocol 4, to be freed with buffer_deinit; `pkl` is empty then. */
struct buffer pkl_end(struct pkl *pkl, int64_t counter);
/* The same, into the file PATH. */
void pkl_write(struct pkl *pkl, int64_t counter, const char *path);

/* base64 of `bytes` in static memory. */
struct slice base64_of(struct slice bytes);

#endif
