#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/sqlite/store.h"

/* Up to this size a file is checked whole when it is opened; a larger one only as far as opening it
 * and reading its tables' roots tells. */
#define WHOLE_CHECK_MAX_BYTES (INT64_C(64) << 20)

/* `entries` holds what a get needs, `uses` the small rows that change all the time: a use rewrites
 * forty bytes, not the value. Both have the same rowid, in order of creation: what is new is
 * written at the end of both, and what is evicted, mostly the old, lies together. So a set into a
 * large cache touches few pages that no other set of its group touches. The key stands before the
 * value, so that comparing it never walks through the pages of a long value.
 *
 * entries_key finds an entry and gives listings in byte order. It holds the first 64 bytes of a
 * key, as keys may be a whole prompt, and a hash of it all, which tells apart those that begin
 * alike. (SQLite says that substr of an empty blob is NULL.) uses_order gives, for each frequency,
 * the entry that was not used for the longest time: the only possible victims (evict.c).
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
	" entry_count INTEGER NOT NULL DEFAULT 0, total_size INTEGER NOT NULL DEFAULT 0,"
	" frequency_sum INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL);"
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

static bool execute(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The first column of the first row of `sql`; `otherwise` where there is none. */
static int64_t query_integer(sqlite3 *db, const char *sql, int64_t otherwise)
{
	sqlite3_stmt *statement = database_prepare_statement(db, sql);
	int64_t result = otherwise;

	if (statement && sqlite3_step(statement) == SQLITE_ROW)
		result = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement);
	return result;
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
		/* SQLite calls only ENOSPC a full disk. */
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

void database_read_settings(const struct sqlite_store *store, struct slice name,
			    sqlite3_stmt *statement, int column, struct namespace_settings *ret)
{
	store_default_settings(store, name, ret);
	if (sqlite3_column_type(statement, column) != SQLITE_NULL)
		ret->max_size_bytes = (uint64_t)sqlite3_column_int64(statement, column);
	if (sqlite3_column_type(statement, column + 1) != SQLITE_NULL)
		ret->capacity = sqlite3_column_int64(statement, column + 1);
	if (sqlite3_column_type(statement, column + 2) != SQLITE_NULL)
		ret->default_ttl_s = sqlite3_column_int64(statement, column + 2);
	if (sqlite3_column_type(statement, column + 3) != SQLITE_NULL)
		ret->policy = (enum eviction_policy)sqlite3_column_int(statement, column + 3);
	ret->stale_ttl_s = sqlite3_column_int64(statement, column + 4); /* 0 for NULL */
}

sqlite3 *database_connect(struct sqlite_store *store)
{
	/* A connection is used by one thread at a time, under a lock of ours. */
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(store->path, &db, flags, store->mapping.vfs.zName) == SQLITE_OK &&
	    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS) == SQLITE_OK &&
	    execute(db, "PRAGMA journal_mode=WAL") &&
	    execute(db, store->config.durability == DURABILITY_FULL
				? "PRAGMA synchronous=FULL"
				: "PRAGMA synchronous=NORMAL") &&
	    execute(db, "PRAGMA mmap_size=1073741824") && /* any: mapping.c decides */
	    execute(db, "PRAGMA wal_autocheckpoint=0") &&
	    execute(db, "PRAGMA journal_size_limit=67108864"))
		return db;
	store_notice(store, NOTICE_ERROR, "cannot open %s: %s", store->path,
		     db ? sqlite3_errmsg(db) : "out of memory");
	(void)sqlite3_close(db);
	return NULL;
}

/* What is wrong with the file behind `db`; NULL where it is ours and sound, or new. */
static const char *find_damage(sqlite3 *db)
{
	int64_t tables = query_integer(db, "SELECT count(*) FROM sqlite_schema", -1);

	if (tables < 0)
		return sqlite3_errmsg(db);
	if (tables == 0)
		return NULL;
	if (query_integer(db, "SELECT count(*) FROM meta", -1) < 1 ||
	    query_integer(db, "SELECT coalesce(max(id), 0) FROM entries", -1) < INT64_MIN ||
	    sqlite3_errcode(db) == SQLITE_CORRUPT)
		return "its tables cannot be read";
	if (query_integer(db, "PRAGMA page_count", 0) * query_integer(db, "PRAGMA page_size", 0) >
	    WHOLE_CHECK_MAX_BYTES)
		return NULL;

	sqlite3_stmt *check = database_prepare_statement(db, "PRAGMA quick_check(1)");
	bool sound = check && sqlite3_step(check) == SQLITE_ROW &&
		     strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0;
	(void)sqlite3_finalize(check);
	return sound ? NULL : "it fails its integrity check";
}

/* A file that may well be sound, but is none that this program could use: it stays where it is.
 * False with a sentence in `error`. */
static bool is_ours(const struct sqlite_store *store, sqlite3 *db, char *error, size_t error_size)
{
	int64_t tables = query_integer(db, "SELECT count(*) FROM sqlite_schema", -1);
	int64_t version = query_integer(db, "PRAGMA user_version", 0);

	if (tables <= 0)
		return true; /* damaged or new: find_damage */
	if (query_integer(db, "PRAGMA application_id", 0) != APPLICATION_ID) {
		(void)snprintf(error, error_size,
			       "%s is another program's database; name another --data-dir",
			       store->path);
		return false;
	}
	if (version != SCHEMA_VERSION) {
		(void)snprintf(
			error, error_size,
			"%s has the schema of another version of steadycache (%lld, this one "
			"knows %d); start that version, or move the file away",
			store->path, (long long)version, SCHEMA_VERSION);
		return false;
	}
	return true;
}

static void move_aside(struct sqlite_store *store, const char *reason)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	long long now_s = (long long)(store_now_us(store) / US_PER_S);
	char from[sizeof(store->path) + 8];
	char to[sizeof(store->path) + 64];

	/* A second damaged file of one second must not replace the first. */
	do
		(void)snprintf(to, sizeof(to), "%s.corrupted.%lld", store->path, now_s++);
	while (access(to, F_OK) == 0);
	now_s--;
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(from, sizeof(from), "%s%s", store->path, suffixes[i]);
		(void)snprintf(to, sizeof(to), "%s.corrupted.%lld%s", store->path, now_s,
			       suffixes[i]);
		if (rename(from, to) == 0 && i == 0)
			store_notice(
				store, NOTICE_ERROR,
				"the database cannot be used (%s); moved to %s, starting empty",
				reason, to);
	}
}

/* Puts into a sound file what it lacks. The caller holds the lock of the folder. */
static bool complete_schema(sqlite3 *db)
{
	if (query_integer(db,
			  "SELECT count(*) FROM pragma_table_info('namespaces')"
			  " WHERE name = 'stale_ttl'",
			  -1) == 1)
		return true;
	if (execute(db, "BEGIN IMMEDIATE") && execute(db, additions) && execute(db, "COMMIT"))
		return true;
	(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

static bool create_schema(sqlite3 *db)
{
	char sql[256];
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return false;
	(void)snprintf(
		sql, sizeof(sql),
		"INSERT INTO meta VALUES('hash_seed', %lld), ('next_namespace', 1), ('probe', 0);"
		"PRAGMA application_id=%d; PRAGMA user_version=%d;",
		(long long)(seed >> 1), APPLICATION_ID, SCHEMA_VERSION);
	return execute(db, "BEGIN IMMEDIATE") && execute(db, schema) && execute(db, sql) &&
	       execute(db, "COMMIT");
}

/* A file that cannot be read now is not thereby damaged. A full disk is enough: the first reader of
 * a database that was closed well has to make the "-shm" file, and gets an I/O error. */
static bool is_passing(int code)
{
	switch (code) {
	case SQLITE_CANTOPEN:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_IOERR:
	case SQLITE_FULL:
	case SQLITE_PROTOCOL:
		return true;
	default:
		return false;
	}
}

/* What a full disk may have caused, in one of the ways that SQLite calls it. */
static bool may_lack_space(int code)
{
	return code == SQLITE_IOERR || code == SQLITE_FULL || code == SQLITE_CANTOPEN;
}

/* Opens, checks and, where the file is new, fills it. The caller holds the lock of the folder.
 * *ret_short: it failed, perhaps for want of room. */
static bool open_checked(struct sqlite_store *store, bool *ret_short, char *error,
			 size_t error_size)
{
	*ret_short = false;
	for (int attempt = 0; attempt < 2; attempt++) {
		sqlite3 *db = NULL;
		char damage[256];
		int code = sqlite3_open_v2(store->path, &db,
					   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
					   store->config.sqlite_vfs);

		if (code != SQLITE_OK) {
			(void)snprintf(error, error_size, "cannot open %s: %s", store->path,
				       db ? sqlite3_errmsg(db) : "out of memory");
			(void)sqlite3_close(db);
			return false;
		}
		(void)sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);

		if (!is_ours(store, db, error, error_size)) {
			(void)sqlite3_close(db);
			return false;
		}
		const char *found = find_damage(db);
		int reason = sqlite3_errcode(db) & 0xFF;
		if (found)
			(void)snprintf(damage, sizeof(damage), "%s", found);
		if (!found) {
			bool ready =
				query_integer(db, "SELECT count(*) FROM sqlite_schema", 0) > 0 ||
				(execute(db, "PRAGMA journal_mode=WAL") && create_schema(db));

			ready = ready && complete_schema(db);
			store->hash_seed = (uint64_t)query_integer(
				db, "SELECT value FROM meta WHERE name = 'hash_seed'", 0);
			if (!ready) {
				*ret_short = may_lack_space(sqlite3_errcode(db) & 0xFF);
				(void)snprintf(error, error_size, "cannot prepare %s: %s",
					       store->path, sqlite3_errmsg(db));
			}
			(void)sqlite3_close(db);
			return ready;
		}
		(void)sqlite3_close(db);
		if (is_passing(reason)) {
			*ret_short = may_lack_space(reason);
			(void)snprintf(error, error_size, "cannot read %s: %s", store->path,
				       damage);
			return false;
		}
		move_aside(store, damage);
	}
	(void)snprintf(error, error_size, "cannot set the damaged file %s aside", store->path);
	return false;
}

bool database_prepare(struct sqlite_store *store, char *error, size_t error_size)
{
	char lock_path[sizeof(store->path)];
	int length = snprintf(store->path, sizeof(store->path), "%s/" DATABASE_NAME,
			      store->config.data_dir);

	(void)snprintf(lock_path, sizeof(lock_path), "%s/steadycache.lock", store->config.data_dir);
	if (length < 0 || (size_t)length >= sizeof(store->path) - 64) {
		(void)snprintf(error, error_size, "the data directory's path is too long");
		return false;
	}
	space_init(store);
	/* Two processes that start at once must not both set one damaged file aside. */
	int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX) != 0) {
		(void)snprintf(error, error_size, "cannot write in the data directory %s: %s",
			       store->config.data_dir, strerror(errno));
		if (lock >= 0)
			(void)close(lock);
		return false;
	}
	mode_t old_mask = umask(0077);
	bool lacks_space = false;
	bool ready = open_checked(store, &lacks_space, error, error_size);
	/* SQLite needs room even to read: for the "-shm" file. */
	if (!ready && lacks_space && reserve_give_up(&store->space.reserve))
		ready = open_checked(store, &lacks_space, error, error_size);
	(void)umask(old_mask);
	(void)close(lock);
	return ready;
}
