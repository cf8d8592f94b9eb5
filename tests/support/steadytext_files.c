#include "tests/support/steadytext_files.h"

#include <nettle/base64.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/temp_dir.h"

static void check(bool is_good, const char *what)
{
	if (is_good)
		return;
	(void)fprintf(stderr, "steadytext_files: %s\n", what);
	abort();
}

void steadytext_db_run(struct sqlite3 *db, const char *sql)
{
	check(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
}

struct sqlite3 *steadytext_db_make(const char *path)
{
	struct sqlite3 *db = NULL;

	check(sqlite3_open(path, &db) == SQLITE_OK, path);
	steadytext_db_run(db, "PRAGMA journal_mode=WAL");
	steadytext_db_run(db, "PRAGMA synchronous=OFF");
	steadytext_db_run(db, "PRAGMA wal_autocheckpoint=0");
	steadytext_db_run(db, "CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, "
			      "value BLOB NOT NULL, frequency INTEGER DEFAULT 1, "
			      "last_access INTEGER NOT NULL, size INTEGER NOT NULL)");
	steadytext_db_run(db, "CREATE INDEX IF NOT EXISTS idx_frecency "
			      "ON cache(frequency ASC, last_access ASC)");
	steadytext_db_run(db, "CREATE TABLE IF NOT EXISTS metadata (property TEXT PRIMARY KEY, "
			      "value TEXT NOT NULL)");
	return db;
}

const char *steadytext_column(const char *const *parts, size_t count)
{
	static char column[4096];
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		size_t part = strlen(parts[i]);

		if (i > 0) {
			column[len++] = ':';
			column[len++] = ':';
		}
		check(len + BASE64_ENCODE_RAW_LENGTH(part) + 3 < sizeof(column), "long key");
		base64_encode_raw(column + len, part, (const uint8_t *)parts[i]);
		len += BASE64_ENCODE_RAW_LENGTH(part);
	}
	column[len] = '\0';
	return column;
}

void steadytext_db_add(struct sqlite3 *db, const char *column, struct slice value,
		       int64_t frequency, int64_t last_access_us)
{
	sqlite3_stmt *stmt = NULL;

	check(sqlite3_prepare_v2(db, "INSERT INTO cache VALUES (?, ?, ?, ?, ?)", -1, &stmt, NULL) ==
		      SQLITE_OK,
	      "insert");
	(void)sqlite3_bind_text(stmt, 1, column, -1, SQLITE_STATIC);
	(void)sqlite3_bind_blob(stmt, 2, value.data, (int)value.len, SQLITE_STATIC);
	(void)sqlite3_bind_int64(stmt, 3, frequency);
	(void)sqlite3_bind_int64(stmt, 4, last_access_us);
	(void)sqlite3_bind_int64(stmt, 5, (int64_t)value.len);
	check(sqlite3_step(stmt) == SQLITE_DONE, sqlite3_errmsg(db));
	(void)sqlite3_finalize(stmt);
}

void steadytext_db_end(struct sqlite3 *db)
{
	check(sqlite3_close(db) == SQLITE_OK, "close");
}

/* ---- Pickles ---- */

static void append_u32(struct buffer *ret, uint32_t number)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		buffer_append_char(ret, (char)(number >> shift));
}

void pickle_text_part(struct buffer *ret, struct slice text)
{
	if (text.len < 256) {
		buffer_append_char(ret, '\x8c'); /* SHORT_BINUNICODE */
		buffer_append_char(ret, (char)text.len);
	} else {
		buffer_append_char(ret, 'X'); /* BINUNICODE */
		append_u32(ret, (uint32_t)text.len);
	}
	buffer_append(ret, text);
}

void pickle_text(struct buffer *ret, struct slice text)
{
	buffer_append(ret, SLICE("\x80\x04"));
	pickle_text_part(ret, text);
	buffer_append_char(ret, '.');
}

void pickle_int_part(struct buffer *ret, int64_t number)
{
	buffer_append(ret, SLICE("\x8a\x08")); /* LONG1 */
	append_u32(ret, (uint32_t)number);
	append_u32(ret, (uint32_t)(number >> 32));
}

void pkl_add_parts(struct pkl *pkl, struct slice key, struct slice value)
{
	buffer_append(&pkl->data, key);
	buffer_append(&pkl->data, value);
}

void pkl_add(struct pkl *pkl, struct slice key, struct slice value, int64_t frequency,
	     int64_t counter)
{
	pickle_text_part(&pkl->data, key);
	pickle_text_part(&pkl->data, value);
	pickle_text_part(&pkl->meta, key);
	pickle_int_part(&pkl->meta, frequency);
	pickle_int_part(&pkl->meta, counter);
	buffer_append_char(&pkl->meta, '\x86'); /* TUPLE2 */
}

/* EMPTY_DICT MARK ... SETITEMS */
static void append_dict(struct buffer *ret, const char *name, const struct buffer *items)
{
	pickle_text_part(ret, slice_of(name));
	buffer_append(ret, SLICE("}("));
	buffer_append(ret, buffer_bytes(items));
	buffer_append_char(ret, 'u');
}

struct buffer pkl_end(struct pkl *pkl, int64_t counter)
{
	struct buffer ret = {0};

	buffer_append(&ret, SLICE("\x80\x04}("));
	append_dict(&ret, "data", &pkl->data);
	append_dict(&ret, "meta", &pkl->meta);
	pickle_text_part(&ret, SLICE("counter"));
	pickle_int_part(&ret, counter);
	buffer_append(&ret, SLICE("u."));
	check(!ret.failed, "out of memory");
	buffer_deinit(&pkl->data);
	buffer_deinit(&pkl->meta);
	return ret;
}

void pkl_write(struct pkl *pkl, int64_t counter, const char *path)
{
	struct buffer bytes = pkl_end(pkl, counter);

	file_write(path, buffer_bytes(&bytes));
	buffer_deinit(&bytes);
}

struct slice base64_of(struct slice bytes)
{
	static char text[8192];

	check(BASE64_ENCODE_RAW_LENGTH(bytes.len) < sizeof(text), "long value");
	base64_encode_raw(text, bytes.len, (const uint8_t *)bytes.data);
	return (struct slice){.data = text, .len = BASE64_ENCODE_RAW_LENGTH(bytes.len)};
}
