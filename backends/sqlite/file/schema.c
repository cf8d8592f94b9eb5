#include "backends/sqlite/file/schema.h"

#include <stdio.h>
#include <sys/random.h>

#include "backends/sqlite/file/database.h"

/* `entries` holds what a get needs, `uses` the small rows that change all the time: a use rewrites
 * forty bytes, not the value. Both have the same rowid, in order of creation: what is new is
 * written at the end of both, and what is evicted, mostly the old, lies together. So a set into a
 * large cache touches few pages that no other set of its group touches. The key stands before the
 * value, so that comparing it never walks through the pages of a long value.
 *
 * entries_key finds an entry and gives listings in byte order. It holds the first 64 bytes of a
 * key, as keys may be a whole prompt, and a hash of it all, which tells apart those that begin
 * alike. (SQLite says that substr of an empty blob is NULL.) uses_order gives, for each frequency,
 * the entry that was not used for the longest time: the only possible victims (evict.h).
 *
 * A cleared namespace gets a new id, at once; rows of the old one (`dropped`) go in small steps.
 *
 * What later versions added (`additions`) stands apart: it is put into older files of this schema
 * too, and an older program goes on to work with the file, as it leaves alone what it does not
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

static const char additions[] =
	"ALTER TABLE namespaces ADD COLUMN stale_ttl INTEGER;"
	/* Empty where nobody uses it, so that looking for such namespaces costs nothing. */
	"CREATE INDEX namespaces_stale ON namespaces(stale_ttl) WHERE stale_ttl > 0;";

int schema_complete(sqlite3 *db)
{
	int64_t present = 0;
	int code = database_ask(db,
				"SELECT count(*) FROM pragma_table_info('namespaces')"
				" WHERE name = 'stale_ttl'",
				&present);

	if (code != SQLITE_ROW || present == 1)
		return code == SQLITE_ROW ? SQLITE_OK : code;
	code = database_execute(db, "BEGIN IMMEDIATE");
	if (code == SQLITE_OK)
		code = database_execute(db, additions);
	if (code == SQLITE_OK)
		code = database_execute(db, "COMMIT");
	if (code != SQLITE_OK)
		(void)database_execute(db, "ROLLBACK");
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
