#include "backends/sqlite/file/schema.h"

#include <stdio.h>
#include <sys/random.h>

#include "backends/sqlite/file/database.h"

/* `entries` has what a get needs, `uses` the small rows that change all the time: a use rewrites
 * forty bytes, not the value. Both have the same rowid, in order of creation: new rows are written
 * at the end of both, and evicted ones, mostly old, are close together. So a set into a large cache
 * touches few pages that no other set of its group touches. The key precedes the value, so that
 * comparing it never walks through the pages of a long value.
 *
 * entries_key finds an entry and gives listings in byte order. It has the first 64 bytes of a key,
 * because keys may be a whole prompt, and a hash of all of it, which tells apart those with the
 * same beginning. (In SQLite, substr of an empty blob is NULL.) uses_order gives, for each
 * frequency, the entry that has been unused the longest: the only possible victims (evict.h).
 *
 * uses_idle is uses_order without the frequency, for entries of namespaces with an idle time only:
 * those have a 1 in `idle`, as those of namespaces whose policy is FIFO have one in `fifo`.
 *
 * A cleared namespace gets a new id at once, and a dropped one has none; rows of the old one
 * (`dropped`) are removed in small steps.
 *
 * Additions of later versions (`additions`) are separate: they are made to older files of this
 * schema too, and an older program can go on using the file, because it ignores what it does not
 * know. */
static const char schema[] =
	"CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE namespaces(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" max_size INTEGER, capacity INTEGER, default_ttl INTEGER, policy INTEGER,"
	" entry_count INTEGER NOT NULL DEFAULT 0, size_sum INTEGER NOT NULL DEFAULT 0,"
	" frequency_sum INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL,"
	" used_bytes INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE dropped(id INTEGER PRIMARY KEY);"
	"CREATE TABLE entries(id INTEGER PRIMARY KEY, ns INTEGER NOT NULL, hash INTEGER NOT NULL,"
	" size INTEGER NOT NULL, etag BLOB NOT NULL,"
	" flags INTEGER NOT NULL, type TEXT NOT NULL, modified INTEGER NOT NULL,"
	" expires INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL);"
	"CREATE TABLE uses(id INTEGER PRIMARY KEY, ns INTEGER NOT NULL, frequency INTEGER NOT "
	"NULL, last_access INTEGER NOT NULL, created INTEGER NOT NULL,"
	" fifo INTEGER NOT NULL);"
	"CREATE INDEX uses_order ON uses(ns, frequency, last_access);"
	"CREATE INDEX uses_fifo ON uses(ns, created) WHERE fifo = 1;"
	"CREATE INDEX entries_key ON entries(ns, ifnull(substr(key, 1, 64), x''), hash);"
	"CREATE INDEX entries_expiry ON entries(expires) WHERE expires > 0;";

/* In the order in which versions made them, each with a question: how many of its columns are
 * there. The indexes are empty if nobody uses the settings, so that looking for such namespaces
 * costs nothing. */
static const struct {
	const char *count, *sql;
} additions[] = {
	{SCHEMA_HAS_COLUMN("stale_ttl"),
	 "ALTER TABLE namespaces ADD COLUMN stale_ttl INTEGER;"
	 "CREATE INDEX namespaces_stale ON namespaces(stale_ttl) WHERE stale_ttl > 0;"},
	{SCHEMA_HAS_COLUMN(SCHEMA_LAST_COLUMN),
	 "ALTER TABLE namespaces ADD COLUMN max_idle INTEGER;"
	 "ALTER TABLE namespaces ADD COLUMN compression INTEGER;"
	 "ALTER TABLE namespaces ADD COLUMN put_status INTEGER;"
	 "CREATE INDEX namespaces_idle ON namespaces(id) WHERE max_idle > 0;"
	 "ALTER TABLE uses ADD COLUMN idle INTEGER NOT NULL DEFAULT 0;"
	 "CREATE INDEX uses_idle ON uses(ns, last_access) WHERE idle = 1;"},
};
#define ADDITIONS (sizeof(additions) / sizeof(additions[0]))

static int add(sqlite3 *db, const char *sql)
{
	int code = database_execute(db, "BEGIN IMMEDIATE");

	if (code == SQLITE_OK)
		code = database_execute(db, sql);
	if (code == SQLITE_OK)
		code = database_execute(db, "COMMIT");
	if (code != SQLITE_OK)
		(void)database_execute(db, "ROLLBACK");
	return code;
}

int schema_complete(sqlite3 *db)
{
	int code = SQLITE_OK;

	for (size_t i = 0; i < ADDITIONS && code == SQLITE_OK; i++) {
		int64_t present = 0;

		code = database_ask(db, additions[i].count, &present);
		if (code == SQLITE_ROW)
			code = present == 1 ? SQLITE_OK : add(db, additions[i].sql);
	}
	return code;
}

int schema_create(sqlite3 *db)
{
	char sql[256];
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return SQLITE_IOERR;
	(void)snprintf(
		sql, sizeof(sql),
		"INSERT INTO meta VALUES('hash_seed', %lld), ('next_namespace', 1), ('probe', 0);"
		"PRAGMA application_id=%d; PRAGMA user_version=%d;",
		(long long)(seed >> 1), APPLICATION_ID, SCHEMA_VERSION);
	int code = database_execute(db, "BEGIN IMMEDIATE");
	if (code == SQLITE_OK)
		code = database_execute(db, schema);
	if (code == SQLITE_OK)
		code = database_execute(db, sql);
	if (code == SQLITE_OK)
		code = database_execute(db, "COMMIT");
	if (code != SQLITE_OK)
		(void)database_execute(db, "ROLLBACK");
	return code;
}
