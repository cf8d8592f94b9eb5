#include "backends/sqlite/read/scan.h"

#include <stdlib.h>

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/file/key_index.h"

#define BEGINNING "ifnull(substr(e.key, 1, 64), x'')"
#define COLUMNS                                                                                    \
	"e.key, e.size, e.etag, u.frequency, u.last_access, u.created, e.expires, e.id,"           \
	" e.modified, e.flags"

/* Parameters: 1 namespace, 2 where the index is entered, 3 key_index_prefix_bound(), 4 after, 5
 * prefix, 6 now, 7 limit, 8 hash of after. */
#define SCAN_SQL(columns, range, order)                                                            \
	"SELECT " columns                                                                          \
	" FROM namespaces n CROSS JOIN entries e INDEXED BY entries_key ON e.ns = n.id"            \
	" CROSS JOIN uses u ON u.id = e.id"                                                        \
	" WHERE n.name = ?1 AND " range                                                            \
	" AND (length(?5) = 0 OR substr(e.key, 1, length(?5)) = ?5)"                               \
	" AND (e.expires = 0 OR e.expires > ?6)"                                                   \
	" ORDER BY " order " LIMIT ?7"

static const char keys_in_byte_order[] = SCAN_SQL(
	"e.key, n.id", BEGINNING " >= ?2 AND " BEGINNING " < ?3 AND e.key > ?4 AND e.key >= ?5",
	BEGINNING ", e.key");
/* Keys that begin as `after` does. (With the beginning also in ORDER BY, SQLite would sort.) */
static const char rest_in_index_order[] =
	SCAN_SQL(COLUMNS, BEGINNING " = ?2 AND e.hash >= ?8 AND (e.hash > ?8 OR e.key > ?4)",
		 "e.hash, e.key");
static const char behind_in_index_order[] =
	SCAN_SQL(COLUMNS, BEGINNING " > ?2 AND " BEGINNING " < ?3", BEGINNING ", e.hash, e.key");
static const char from_in_index_order[] =
	SCAN_SQL(COLUMNS, BEGINNING " >= ?2 AND " BEGINNING " < ?3", BEGINNING ", e.hash, e.key");

static const char entry_of_key[] =
	"SELECT " COLUMNS " FROM entries e INDEXED BY entries_key CROSS JOIN uses u ON u.id = e.id"
	" WHERE e." KEY_CONDITION(1, 2, 3, 4) " AND (e.expires = 0 OR e.expires > ?5)";

/* The key of a row, malloc'ed. */
static bool read_key(sqlite3_stmt *row, struct slice *ret)
{
	size_t len = (size_t)sqlite3_column_bytes(row, 0);
	const void *key = sqlite3_column_blob(row, 0);
	char *copy = malloc(len + 1);

	if (!copy)
		return false;
	if (len > 0)
		memcpy(copy, key, len);
	*ret = (struct slice){.data = copy, .len = len};
	return true;
}

/* All but the key. */
static void read_rest(struct sqlite_store *store, sqlite3_stmt *row, struct cache_entry_info *entry)
{
	struct use waiting;

	int64_t now_us = store_now_us(store);

	*entry = (struct cache_entry_info){
		.key = entry->key,
		.size_bytes = (uint64_t)sqlite3_column_int64(row, 1),
		.frequency = (uint64_t)sqlite3_column_int64(row, 3),
		.last_access_us = sqlite3_column_int64(row, 4),
		.created_at_us = sqlite3_column_int64(row, 5),
		.expires_at_us = sqlite3_column_int64(row, 6),
		.modified_at_us = sqlite3_column_int64(row, 8),
		.flags = (uint8_t)sqlite3_column_int64(row, 9) & CACHE_VALUE_STORED,
	};
	if (sqlite3_column_bytes(row, 2) == (int)sizeof(entry->etag.bytes))
		memcpy(entry->etag.bytes, sqlite3_column_blob(row, 2), sizeof(entry->etag.bytes));
	if (uses_find(&store->uses, sqlite3_column_int64(row, 7), &waiting)) {
		entry->frequency += waiting.count;
		if (entry->last_access_us < waiting.last_access_us)
			entry->last_access_us = waiting.last_access_us;
	}
	entry->last_access_us =
		order_clock_to_wall(&store->order_clock, entry->last_access_us, now_us);
	entry->created_at_us =
		order_clock_to_wall(&store->order_clock, entry->created_at_us, now_us);
}

static void bind_bytes(sqlite3_stmt *statement, int index, const char *data, size_t len)
{
	(void)sqlite3_bind_blob64(statement, index, len ? data : "", len, SQLITE_STATIC);
}

struct scan {
	struct sqlite_store *store;
	sqlite3 *db;
	struct cache_op *op;
	size_t key_bytes;
	int64_t namespace_id; /* keys only */
	bool keys_only;
	bool is_full; /* the op has as much as it may have, and there is more */
};

/* Adds the rows of one query, which enters the index at `from`. SQLITE_DONE, or an error. */
static int scan_rows(struct scan *scan, const char *sql, struct slice from)
{
	struct cache_op *op = scan->op;
	sqlite3_stmt *query = database_prepare_statement(scan->db, sql);
	char bound[KEY_BOUND_BYTES];
	int code = SQLITE_DONE;

	if (!query)
		return database_error(scan->db);
	(void)sqlite3_bind_text(query, 1, op->ns.data, (int)op->ns.len, SQLITE_STATIC);
	bind_bytes(query, 2, from.data, key_index_len(from));
	bind_bytes(query, 3, bound, key_index_prefix_bound(op->prefix, bound));
	/* Nothing sorts before NULL, but a comparison with NULL is unknown; the empty text sorts
	 * before every blob. */
	if (op->has_after)
		bind_bytes(query, 4, op->after.data, op->after.len);
	else
		(void)sqlite3_bind_text(query, 4, "", 0, SQLITE_STATIC);
	bind_bytes(query, 5, op->prefix.data, op->prefix.len);
	(void)sqlite3_bind_int64(query, 6, store_now_us(scan->store));
	(void)sqlite3_bind_int64(query, 7, (int64_t)(op->limit - op->entry_count) + 1);
	(void)sqlite3_bind_int64(query, 8, key_index_hash(scan->store->file.hash_seed, op->after));
	while (!scan->is_full && (code = sqlite3_step(query)) == SQLITE_ROW) {
		if (op->entry_count == op->limit ||
		    (op->max_key_bytes > 0 && scan->key_bytes >= op->max_key_bytes)) {
			scan->is_full = true;
			code = SQLITE_DONE;
		} else {
			struct cache_entry_info *entry = &op->entries[op->entry_count];

			if (!read_key(query, &entry->key)) {
				code = SQLITE_NOMEM;
				break;
			}
			if (scan->keys_only)
				scan->namespace_id = sqlite3_column_int64(query, 1);
			else
				read_rest(scan->store, query, entry);
			scan->key_bytes += entry->key.len;
			op->entry_count++;
		}
	}
	(void)sqlite3_finalize(query);
	return code;
}

/* Beginnings as in the index. */
static int compare_beginnings(struct slice a, struct slice b)
{
	a.len = key_index_len(a);
	b.len = key_index_len(b);
	return slice_compare(a, b);
}

static int scan_from(struct scan *scan)
{
	const struct cache_op *op = scan->op;

	if (!op->has_after || compare_beginnings(op->after, op->prefix) < 0)
		return scan_rows(scan, from_in_index_order, op->prefix);
	int code = scan_rows(scan, rest_in_index_order, op->after);
	if (code == SQLITE_DONE && !scan->is_full)
		code = scan_rows(scan, behind_in_index_order, op->after);
	return code;
}

static int scan_in_any_order(struct scan *scan)
{
	(void)pthread_mutex_lock(&scan->store->uses_order);
	int code = scan_from(scan);
	(void)pthread_mutex_unlock(&scan->store->uses_order);
	return code;
}

/* Fills the entries of the listed keys, in one read transaction; the writer stands still. */
static int read_entries_of_keys(struct scan *scan)
{
	struct sqlite_store *store = scan->store;
	struct cache_op *op = scan->op;
	sqlite3_stmt *query = database_prepare_statement(scan->db, entry_of_key);
	size_t kept = 0;
	int code = query ? SQLITE_DONE : database_error(scan->db);

	for (size_t i = 0; i < op->entry_count; i++) {
		struct cache_entry_info entry = op->entries[i];

		if (code == SQLITE_DONE) {
			key_index_bind(query, 1, scan->namespace_id, entry.key,
				       store->file.hash_seed);
			(void)sqlite3_bind_int64(query, 5, store_now_us(store));
			code = sqlite3_step(query);
		}
		if (code == SQLITE_ROW) {
			read_rest(store, query, &entry);
			op->entries[kept++] = entry;
			code = SQLITE_DONE;
		} else {
			free((void *)(uintptr_t)entry.key.data);
		}
		if (query)
			(void)sqlite3_reset(query);
	}
	op->entry_count = kept;
	(void)sqlite3_finalize(query);
	return code;
}

static int scan_in_byte_order(struct scan *scan)
{
	struct sqlite_store *store = scan->store;
	struct slice from = scan->op->prefix;
	int code;

	if (scan->op->has_after && slice_compare(scan->op->after, from) > 0)
		from = scan->op->after;
	scan->keys_only = true;
	/* Again if all entries of a page were removed in between: an empty page would be the last
	 * one. */
	do {
		scan->is_full = false;
		code = scan_rows(scan, keys_in_byte_order, from);
		if (code != SQLITE_DONE || scan->op->entry_count == 0)
			return code;
		(void)pthread_mutex_lock(&store->uses_order);
		code = read_entries_of_keys(scan);
		(void)pthread_mutex_unlock(&store->uses_order);
	} while (code == SQLITE_DONE && scan->op->entry_count == 0 && scan->is_full);
	return code;
}

void scan_run(struct sqlite_store *store, sqlite3 *db, struct cache_op *op)
{
	struct scan scan = {.store = store, .db = db, .op = op};
	unsigned faults = mapping_faults(&store->file.mapping);
	int code = SQLITE_NOMEM;

	op->entries = calloc(op->limit, sizeof(*op->entries));
	if (op->entries) {
		code = op->any_order ? scan_in_any_order(&scan) : scan_in_byte_order(&scan);
	}
	op->complete = !scan.is_full;
	if (!mapping_is_intact(&store->file.mapping, faults))
		code = SQLITE_IOERR_MMAP;
	cache_op_complete(op, code == SQLITE_DONE ? CACHE_OK
						  : database_refuse(&store->file, db, code, op));
}
