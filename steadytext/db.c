#include "steadytext/db.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "steadytext/candidates.h"
#include "steadytext/column_key.h"
#include "steadytext/db_open.h"
#include "steadytext/value.h"

/* Ways to list the rows. The others find what the first cannot if the table is damaged. */
static const char *const listings[] = {
	"SELECT rowid, key, frequency, last_access, length(value) "
	"FROM cache NOT INDEXED ORDER BY rowid",
	"SELECT rowid, key, frequency, last_access, length(value) "
	"FROM cache NOT INDEXED ORDER BY rowid DESC",
	"SELECT rowid, key, 1, NULL, 0 FROM cache INDEXED BY sqlite_autoindex_cache_1",
};
enum listed { LISTED_ID, LISTED_KEY, LISTED_FREQUENCY, LISTED_LAST_ACCESS, LISTED_LENGTH };

static const char fetch_row[] =
	"SELECT value, key, frequency, last_access FROM cache NOT INDEXED WHERE rowid = ?";
enum fetched { FETCHED_VALUE, FETCHED_KEY, FETCHED_FREQUENCY, FETCHED_LAST_ACCESS };

struct steadytext_db {
	struct steadytext_db_open file;
	char *ns;
	struct steadytext_limits limits;
	int64_t now_us;
	int64_t modified_us; /* of the file */
	struct sqlite3_stmt *fetch;
	struct steadytext_candidates rows;
	size_t at;
	bool is_damaged; /* and it was not told yet */
	struct buffer key, value;
};

/* ---- Columns ---- */

static struct slice text_of(sqlite3_stmt *stmt, int at)
{
	const void *data = sqlite3_column_blob(stmt, at);

	return (struct slice){.data = data,
			      .len = data ? (size_t)sqlite3_column_bytes(stmt, at) : 0};
}

static uint64_t frequency_of(sqlite3_stmt *stmt, int at)
{
	int64_t frequency = sqlite3_column_int64(stmt, at);

	return frequency < 1 ? 1 : (uint64_t)frequency;
}

/* What is no time becomes that of the file: nothing of it was used later. */
static int64_t last_access_of(const struct steadytext_db *db, sqlite3_stmt *stmt, int at)
{
	int64_t time_us = sqlite3_column_int64(stmt, at);

	return earlier_us(time_us > 0 ? time_us : db->modified_us, db->now_us);
}

/* A key that is being printed. */
struct printed {
	const struct steadytext_db *db;
	sqlite3_stmt *stmt;
	int at;
};

static bool print_key(void *user, unsigned spelling, struct buffer *ret)
{
	const struct printed *printed = user;

	if (sqlite3_column_type(printed->stmt, printed->at) != SQLITE_TEXT)
		return false;
	/* As UTF-8, whatever the encoding of the database. */
	const void *text = sqlite3_column_text(printed->stmt, printed->at);
	struct slice key = {.data = text,
			    .len = text ? (size_t)sqlite3_column_bytes(printed->stmt, printed->at)
					: 0};
	return text && steadytext_column_key_read(printed->db->ns, key, spelling, ret);
}

/* ---- Opening ---- */

/* Whether it has a table of rows with the columns that are read, none of them computed. */
static bool has_cache(struct sqlite3 *sql)
{
	static const char query[] =
		"SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'cache' AND "
		"type = 'table' AND rootpage > 0), (SELECT count(*) FROM "
		"pragma_table_xinfo('cache') WHERE hidden = 0 AND name IN "
		"('key', 'value', 'frequency', 'last_access')), (SELECT count(*) FROM "
		"pragma_table_xinfo('cache') WHERE name = 'rowid')";
	sqlite3_stmt *stmt = NULL;
	bool has_it = sqlite3_prepare_v2(sql, query, -1, &stmt, NULL) == SQLITE_OK &&
		      sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_int(stmt, 0) == 1 &&
		      sqlite3_column_int(stmt, 1) == 4 && sqlite3_column_int(stmt, 2) == 0;

	(void)sqlite3_finalize(stmt);
	return has_it;
}

static bool add_row(struct steadytext_db *db, sqlite3_stmt *stmt)
{
	struct printed key = {.db = db, .stmt = stmt, .at = LISTED_KEY};
	int64_t length = sqlite3_column_int64(stmt, LISTED_LENGTH);
	const struct steadytext_candidate row = {
		.id = sqlite3_column_int64(stmt, LISTED_ID),
		.value_bytes = length > 0 ? (uint64_t)length : 0,
		.frequency = frequency_of(stmt, LISTED_FREQUENCY),
		.last_access_us = last_access_of(db, stmt, LISTED_LAST_ACCESS),
	};

	return steadytext_candidates_add(&db->rows, &row, print_key, &key, &db->key);
}

enum listing { LISTING_WHOLE, LISTING_PART, LISTING_FAILED };

static enum listing list_rows(struct steadytext_db *db, const char *query)
{
	sqlite3_stmt *stmt = NULL;
	enum listing ret = LISTING_FAILED;
	int step;

	if (sqlite3_prepare_v2(db->file.sql, query, -1, &stmt, NULL) != SQLITE_OK)
		return LISTING_FAILED;
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW && add_row(db, stmt))
		;
	if (step == SQLITE_DONE)
		ret = LISTING_WHOLE;
	else if ((step & 0xff) == SQLITE_CORRUPT || (step & 0xff) == SQLITE_IOERR)
		ret = LISTING_PART;
	(void)sqlite3_finalize(stmt);
	return ret;
}

static bool list(struct steadytext_db *db, char *reason, size_t reason_size)
{
	size_t way = 0;
	enum listing listing = list_rows(db, listings[way]);

	if (listing == LISTING_FAILED) {
		int primary = sqlite3_errcode(db->file.sql) & 0xff;
		(void)snprintf(reason, reason_size, "cannot be read: %s",
			       primary == SQLITE_OK ? "too many entries, or out of memory"
						    : sqlite3_errmsg(db->file.sql));
		return false;
	}
	db->is_damaged = listing == LISTING_PART;
	while (listing == LISTING_PART && ++way < sizeof(listings) / sizeof(listings[0]))
		(void)list_rows(db, listings[way]);
	if (db->is_damaged)
		steadytext_candidates_drop_repeated(&db->rows);
	steadytext_candidates_sort(&db->rows, db->now_us);
	return true;
}

static bool prepare(struct steadytext_db *db, bool *ret_foreign, char *reason, size_t reason_size)
{
	if (!has_cache(db->file.sql) ||
	    sqlite3_prepare_v2(db->file.sql, fetch_row, -1, &db->fetch, NULL) != SQLITE_OK) {
		int primary = sqlite3_errcode(db->file.sql) & 0xff;
		*ret_foreign = primary == SQLITE_OK || primary == SQLITE_ROW ||
			       primary == SQLITE_DONE || primary == SQLITE_ERROR;
		if (*ret_foreign)
			(void)snprintf(reason, reason_size,
				       "has no table of SteadyText's: it is none of its caches");
		else
			(void)snprintf(reason, reason_size, "cannot be read: %s",
				       sqlite3_errmsg(db->file.sql));
		return false;
	}
	return list(db, reason, reason_size);
}

struct steadytext_db *steadytext_db_file_open(const char *path, const char *ns,
					      const struct steadytext_limits *limits,
					      int64_t now_us, bool *ret_foreign, char *reason,
					      size_t reason_size)
{
	struct steadytext_db *db = calloc(1, sizeof(*db));
	struct stat found = {0};

	*ret_foreign = false;
	if (!db || !(db->ns = strdup(ns)) || lstat(path, &found) != 0) {
		(void)snprintf(reason, reason_size, "cannot be read: %m");
	} else if (!S_ISREG(found.st_mode)) {
		(void)snprintf(reason, reason_size, "%s",
			       S_ISLNK(found.st_mode) ? "is a symbolic link: it is not followed"
						      : "is no regular file");
	} else if (steadytext_db_open(&db->file, path, reason, reason_size)) {
		db->limits = *limits;
		db->now_us = now_us;
		db->modified_us = found.st_mtim.tv_sec * US_PER_S + found.st_mtim.tv_nsec / 1000;
		if (prepare(db, ret_foreign, reason, reason_size))
			return db;
	}
	steadytext_db_close(db);
	return NULL;
}

/* ---- Reading ---- */

__attribute__((format(printf, 4, 5))) static enum steadytext_step
skip(const struct steadytext_candidate *row, char *reason, size_t reason_size, const char *format,
     ...)
{
	char text[STEADYTEXT_REASON_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void)snprintf(reason, reason_size, "row %" PRId64 ": %s", row->id, text);
	return STEADYTEXT_SKIPPED;
}

/* The row that the statement has found. STEADYTEXT_END: SteadyText has removed or replaced it. */
static enum steadytext_step take(struct steadytext_db *db, const struct steadytext_candidate *row,
				 struct steadytext_entry *ret, char *reason, size_t reason_size)
{
	struct printed key = {.db = db, .stmt = db->fetch, .at = FETCHED_KEY};
	char clause[STEADYTEXT_REASON_SIZE];

	db->key.len = 0;
	db->value.len = 0;
	if (!print_key(&key, row->spelling, &db->key))
		return skip(row, reason, reason_size,
			    "its key is not base64 of UTF-8, as SteadyText writes it");
	if (!db->key.failed && !steadytext_candidate_has_key(row, buffer_bytes(&db->key)))
		return STEADYTEXT_END;
	ret->key = buffer_bytes(&db->key);
	struct slice value = text_of(db->fetch, FETCHED_VALUE);
	if (sqlite3_column_type(db->fetch, FETCHED_VALUE) != SQLITE_BLOB ||
	    !steadytext_value_is_pickle(value))
		return skip(row, reason, reason_size, "its value is no pickle");
	if (!steadytext_value_fits(&db->limits, db->key.len, steadytext_value_len(value.len),
				   clause, sizeof(clause)))
		return skip(row, reason, reason_size, "%s", clause);
	steadytext_value_encode(value, &db->value);
	if (db->key.failed || db->value.failed) {
		(void)snprintf(reason, reason_size, "row %" PRId64 ": out of memory", row->id);
		return STEADYTEXT_FAILED;
	}
	ret->value = buffer_bytes(&db->value);
	ret->frequency = frequency_of(db->fetch, FETCHED_FREQUENCY);
	ret->last_access_us = last_access_of(db, db->fetch, FETCHED_LAST_ACCESS);
	return STEADYTEXT_ENTRY;
}

static enum steadytext_step fetch(struct steadytext_db *db, const struct steadytext_candidate *row,
				  struct steadytext_entry *ret, char *reason, size_t reason_size)
{
	enum steadytext_step step = STEADYTEXT_END;
	char clause[STEADYTEXT_REASON_SIZE];

	*ret = (struct steadytext_entry){0};
	if (row->is_outdone)
		return skip(row, reason, reason_size,
			    "another key, used later, has the same str()");
	/* Before it is read. */
	if (!steadytext_value_fits(&db->limits, 0, steadytext_value_len(row->value_bytes), clause,
				   sizeof(clause)))
		return skip(row, reason, reason_size, "%s", clause);
	(void)sqlite3_bind_int64(db->fetch, 1, row->id);
	int result = sqlite3_step(db->fetch);
	int primary = result & 0xff;
	if (result == SQLITE_ROW) {
		step = take(db, row, ret, reason, reason_size);
	} else if (primary == SQLITE_CORRUPT || primary == SQLITE_IOERR ||
		   primary == SQLITE_TOOBIG) {
		step = skip(row, reason, reason_size, "cannot be read: %s",
			    sqlite3_errmsg(db->file.sql));
	} else if (result != SQLITE_DONE) {
		(void)snprintf(reason, reason_size, "cannot be read on: %s",
			       primary == SQLITE_BUSY ? "another process keeps it locked"
						      : sqlite3_errmsg(db->file.sql));
		step = STEADYTEXT_FAILED;
	}
	/* Ends the transaction: SteadyText need not wait while the entry is stored. */
	(void)sqlite3_reset(db->fetch);
	return step;
}

enum steadytext_step steadytext_db_next(struct steadytext_db *db, struct steadytext_entry *ret,
					char *reason, size_t reason_size)
{
	enum steadytext_step step = STEADYTEXT_END;

	while (step == STEADYTEXT_END && db->at < db->rows.count)
		step = fetch(db, &db->rows.list[db->at++], ret, reason, reason_size);
	if (!steadytext_db_open_is_unchanged(&db->file)) {
		(void)snprintf(reason, reason_size,
			       "changed while it was read, from a folder without write access: "
			       "import it again");
		return STEADYTEXT_FAILED;
	}
	if (step == STEADYTEXT_END && db->is_damaged) {
		db->is_damaged = false;
		*ret = (struct steadytext_entry){0};
		(void)snprintf(reason, reason_size,
			       "the table is damaged: there may have been more rows");
		return STEADYTEXT_SKIPPED;
	}
	return step;
}

uint64_t steadytext_db_count(const struct steadytext_db *db)
{
	return db->rows.count;
}

void steadytext_db_close(struct steadytext_db *db)
{
	if (!db)
		return;
	(void)sqlite3_finalize(db->fetch);
	steadytext_db_open_end(&db->file);
	steadytext_candidates_deinit(&db->rows);
	buffer_deinit(&db->key);
	buffer_deinit(&db->value);
	free(db->ns);
	free(db);
}
