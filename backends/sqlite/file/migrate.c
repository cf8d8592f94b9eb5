#include "backends/sqlite/file/migrate.h"

#include <inttypes.h>
#include <stdlib.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/row_settings.h"
#include "base/array.h"
#include "store/notice.h"

/* cache_used_bytes() of a row of `entries`. The length of a BLOB is read without its pages. */
#define ENTRY_USED_SQL "length(key) + length(CAST(type AS BLOB)) + size + 128"
_Static_assert(ENTRY_OVERHEAD_BYTES == 128, "ENTRY_USED_SQL says the same");

/* Most namespaces over their limit that are named. */
#define NAMED_MAX 10

/* A namespace and what its entries count. */
struct account {
	int64_t id, used_bytes;
};

struct accounts {
	struct account *items; /* in the order of the ids */
	size_t count, capacity;
};

static struct account *find_account(const struct accounts *accounts, int64_t id)
{
	size_t low = 0;
	size_t high = accounts->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (accounts->items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < accounts->count && accounts->items[low].id == id ? &accounts->items[low]
								      : NULL;
}

/* Calls `each` for every row of `sql`, as long as that returns SQLITE_OK. SQLITE_OK or an error. */
static int for_each_row(sqlite3 *db, const char *sql, int (*each)(void *user, sqlite3_stmt *row),
			void *user)
{
	sqlite3_stmt *query = NULL;
	int code = sqlite3_prepare_v2(db, sql, -1, &query, NULL);

	while (code == SQLITE_OK && (code = sqlite3_step(query)) == SQLITE_ROW)
		code = each(user, query);
	(void)sqlite3_finalize(query);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int add_namespace(void *user, sqlite3_stmt *row)
{
	struct accounts *accounts = user;
	struct account *items = array_with_room(accounts->items, accounts->count,
						&accounts->capacity, sizeof(*items));

	if (!items)
		return SQLITE_NOMEM;
	accounts->items = items;
	items[accounts->count++] = (struct account){.id = sqlite3_column_int64(row, 0)};
	return SQLITE_OK;
}

static int add_entry(void *user, sqlite3_stmt *row)
{
	struct account *account = find_account(user, sqlite3_column_int64(row, 0));

	if (account) /* otherwise of a cleared namespace */
		account->used_bytes += sqlite3_column_int64(row, 1);
	return SQLITE_OK;
}

static int write_accounts(sqlite3 *db, const struct accounts *accounts)
{
	sqlite3_stmt *update = NULL;
	int code = sqlite3_prepare_v2(db, "UPDATE namespaces SET used_bytes = ?2 WHERE id = ?1", -1,
				      &update, NULL);

	for (size_t i = 0; i < accounts->count && code == SQLITE_OK; i++) {
		(void)sqlite3_bind_int64(update, 1, accounts->items[i].id);
		(void)sqlite3_bind_int64(update, 2, accounts->items[i].used_bytes);
		code = database_run(update);
		code = code == SQLITE_DONE ? SQLITE_OK : code;
	}
	(void)sqlite3_finalize(update);
	return code;
}

/* In one transaction. SQLITE_OK or an error. */
static int change_schema(sqlite3 *db)
{
	static const char columns[] =
		"BEGIN IMMEDIATE;"
		"ALTER TABLE namespaces RENAME COLUMN total_size TO size_sum;"
		"ALTER TABLE namespaces ADD COLUMN used_bytes INTEGER NOT NULL DEFAULT 0;";
	struct accounts accounts = {0};
	int code = database_execute(db, columns);

	if (code == SQLITE_OK)
		code = for_each_row(db, "SELECT id FROM namespaces ORDER BY id", add_namespace,
				    &accounts);
	if (code == SQLITE_OK) /* in the order of the table: an index would jump about */
		code = for_each_row(db, "SELECT ns, " ENTRY_USED_SQL " FROM entries NOT INDEXED",
				    add_entry, &accounts);
	if (code == SQLITE_OK)
		code = write_accounts(db, &accounts);
	free(accounts.items);
	if (code == SQLITE_OK)
		code = database_execute(db, "PRAGMA user_version=" SCHEMA_VERSION_TEXT "; COMMIT");
	return code;
}

/* Namespaces that now exceed their limit. */
struct over_limit {
	const struct sqlite_file *file;
	uint64_t count;
};

static int tell_over_limit(void *user, sqlite3_stmt *row)
{
	struct over_limit *over = user;
	struct namespace_settings settings;
	const char *name = (const char *)sqlite3_column_text(row, 0);
	uint64_t used_bytes = (uint64_t)sqlite3_column_int64(row, ROW_SETTINGS + 1);

	if (!name)
		return SQLITE_NOMEM;
	row_settings_read(over->file->config, slice_of(name), row, 1, &settings);
	if (settings.max_size_bytes == 0 || used_bytes <= settings.max_size_bytes)
		return SQLITE_OK;
	if (over->count++ < NAMED_MAX)
		notice_send(over->file->config, NOTICE_WARN,
			    "namespace %s counts %" PRIu64 " bytes with its keys and %d for each "
			    "entry, more than its limit of %" PRIu64 ": the next set that stores "
			    "something evicts, so raise its max_size_mb if all is to stay",
			    name, used_bytes, (int)ENTRY_OVERHEAD_BYTES, settings.max_size_bytes);
	return SQLITE_OK;
}

int migrate_schema(struct sqlite_file *file, sqlite3 *db)
{
	struct over_limit over = {.file = file};
	int64_t began_us = monotonic_now_us();
	int64_t version = 0;
	int code = database_ask(db, "PRAGMA user_version", &version);

	if (code != SQLITE_ROW || version != MIGRATED_SCHEMA_VERSION)
		return code == SQLITE_ROW ? SQLITE_OK : code;
	notice_send(file->config, NOTICE_INFO,
		    "%s is of schema version %d: counting once what its entries take with their "
		    "keys; until that is done nothing is changed",
		    file->path, MIGRATED_SCHEMA_VERSION);
	code = change_schema(db);
	if (code != SQLITE_OK) {
		(void)database_execute(db, "ROLLBACK");
		return code;
	}
	notice_send(file->config, NOTICE_INFO,
		    "%s is of schema version %d now, after %" PRId64
		    " ms; older programs cannot use it any more",
		    file->path, SCHEMA_VERSION, (monotonic_now_us() - began_us) / 1000);
	code = for_each_row(db,
			    "SELECT name, " ROW_SETTINGS_COLUMNS ", used_bytes FROM namespaces"
			    " ORDER BY name",
			    tell_over_limit, &over);
	if (over.count > NAMED_MAX)
		notice_send(file->config, NOTICE_WARN,
			    "so do %" PRIu64 " other namespaces: GET /stats shows used_bytes "
			    "beside max_size_bytes",
			    over.count - NAMED_MAX);
	return code;
}
