/* The limit of a disk: SQLite alone. */
#include "bench/store_parts.h"

#include <sqlite3.h>
#include <stdio.h>

static void execute(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
}

/* Upserts `count` rows in one transaction: rows `first`, `first` + 1 ... of the table, or random
 * ones of its `rows`. */
static void upsert(sqlite3 *db, sqlite3_stmt *statement, uint64_t first, uint64_t count,
		   uint64_t rows)
{
	static char value[VALUE_BYTES];
	static uint64_t serial;
	char room[KEY_BYTES];

	execute(db, "BEGIN IMMEDIATE");
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = rows ? next_random() % rows : first + i;
		struct slice key = make_key(room, number);

		memset(value, 'a' + (int)(serial % 26), sizeof(value));
		memcpy(value, &serial, sizeof(serial));
		serial++;
		(void)sqlite3_bind_int64(statement, 1, (int64_t)number);
		(void)sqlite3_bind_text(statement, 2, key.data, (int)key.len, SQLITE_STATIC);
		(void)sqlite3_bind_blob(statement, 3, value, sizeof(value), SQLITE_STATIC);
		if (sqlite3_step(statement) != SQLITE_DONE)
			fail(sqlite3_errmsg(db));
		(void)sqlite3_reset(statement);
	}
	execute(db, "COMMIT");
}

void run_raw(const struct arguments *arguments)
{
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;
	char path[4096];
	uint64_t count = 0;

	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	(void)snprintf(path, sizeof(path), "%s/raw.db", arguments->config.data_dir);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail("cannot open the raw database");
	execute(db, "PRAGMA journal_mode=WAL");
	execute(db, arguments->config.durability == DURABILITY_FULL ? "PRAGMA synchronous=FULL"
								    : "PRAGMA synchronous=NORMAL");
	execute(db, "PRAGMA mmap_size=1073741824");
	execute(db, "CREATE TABLE rows(id INTEGER PRIMARY KEY, key TEXT, value BLOB)");
	if (sqlite3_prepare_v2(db,
			       "INSERT INTO rows VALUES(?1, ?2, ?3)"
			       " ON CONFLICT(id) DO UPDATE SET value = excluded.value",
			       -1, &statement, NULL) != SQLITE_OK)
		fail(sqlite3_errmsg(db));
	for (uint64_t at = 0; at < arguments->entries; at += FILL_BATCH)
		upsert(db, statement, at, FILL_BATCH, 0);

	int64_t begin_us = monotonic_now_us();
	int64_t end_us = begin_us + (int64_t)(arguments->seconds * US_PER_S);
	for (; monotonic_now_us() < end_us; count += UNDER_WAY)
		upsert(db, statement, 0, UNDER_WAY, arguments->entries);
	printf("{\"sets_per_s\":%.1f}\n",
	       (double)count * US_PER_S / (double)(monotonic_now_us() - begin_us));
	(void)sqlite3_finalize(statement);
	(void)sqlite3_close(db);
}
