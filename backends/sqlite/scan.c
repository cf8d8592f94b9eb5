/* Listings, on the background thread.
 *
 * The index has the first 64 bytes of a key and then its hash, so it gives byte order only among
 * keys that differ within these. Those that begin alike (prompts with one preamble) have to be read
 * and sorted, all of them for each page. A listing in any order goes by the index as it is, and
 * begins where the last page ended: behind the hash of that key among those that begin as it does,
 * and then behind these. */
#include <stdlib.h>

#include "backends/sqlite/store.h"

#define BEGINNING "ifnull(substr(e.key, 1, 64), x'')"

/* Parameters: 1 namespace, 2 where the index is entered, 3 prefix_bound, 4 after, 5 prefix, 6 now,
 * 7 limit, 8 hash of after. */
#define SCAN_SQL(range, order)                                                                     \
	"SELECT e.key, e.size, e.etag, u.frequency, u.last_access, u.created, e.expires, e.id"     \
	" FROM namespaces n CROSS JOIN entries e INDEXED BY entries_key ON e.ns = n.id"            \
	" CROSS JOIN uses u ON u.id = e.id"                                                        \
	" WHERE n.name = ?1 AND " range                                                            \
	" AND (length(?5) = 0 OR substr(e.key, 1, length(?5)) = ?5)"                               \
	" AND (e.expires = 0 OR e.expires > ?6)"                                                   \
	" ORDER BY " order " LIMIT ?7"

static const char in_byte_order[] =
	SCAN_SQL(BEGINNING " >= ?2 AND " BEGINNING " < ?3 AND e.key > ?4 AND e.key >= ?5",
		 BEGINNING ", e.key");
/* What begins as `after`. (With the beginning in its order too, SQLite would sort.) */
static const char rest_in_index_order[] = SCAN_SQL(
	BEGINNING " = ?2 AND e.hash >= ?8 AND (e.hash > ?8 OR e.key > ?4)", "e.hash, e.key");
static const char behind_in_index_order[] =
	SCAN_SQL(BEGINNING " > ?2 AND " BEGINNING " < ?3", BEGINNING ", e.hash, e.key");
static const char from_in_index_order[] =
	SCAN_SQL(BEGINNING " >= ?2 AND " BEGINNING " < ?3", BEGINNING ", e.hash, e.key");

static bool read_entry(struct sqlite_store *store, sqlite3_stmt *row,
		       struct cache_entry_info *entry)
{
	size_t key_len = (size_t)sqlite3_column_bytes(row, 0);
	const void *key = sqlite3_column_blob(row, 0);
	char *copy = malloc(key_len + 1);
	struct use waiting;

	if (!copy)
		return false;
	if (key_len > 0)
		memcpy(copy, key, key_len);
	*entry = (struct cache_entry_info){
		.key = {.data = copy, .len = key_len},
		.size_bytes = (uint64_t)sqlite3_column_int64(row, 1),
		.frequency = (uint64_t)sqlite3_column_int64(row, 3),
		.last_access_us = sqlite3_column_int64(row, 4),
		.created_at_us = sqlite3_column_int64(row, 5),
		.expires_at_us = sqlite3_column_int64(row, 6),
	};
	if (sqlite3_column_bytes(row, 2) == (int)sizeof(entry->etag.bytes))
		memcpy(entry->etag.bytes, sqlite3_column_blob(row, 2), sizeof(entry->etag.bytes));
	if (uses_find(&store->uses, sqlite3_column_int64(row, 7), &waiting)) {
		entry->frequency += waiting.count;
		if (entry->last_access_us < waiting.last_access_us)
			entry->last_access_us = waiting.last_access_us;
	}
	return true;
}

static void bind_bytes(sqlite3_stmt *statement, int index, const char *data, size_t len)
{
	(void)sqlite3_bind_blob64(statement, index, len ? data : "", len, SQLITE_STATIC);
}

struct scan {
	struct sqlite_store *store;
	struct cache_op *op;
	size_t key_bytes;
	bool is_full; /* the op has as much as it may have, and there is more */
};

/* Adds the rows of one query, which enters the index at `from`. SQLITE_DONE, or why not. */
static int scan_rows(struct scan *scan, const char *sql, struct slice from)
{
	struct cache_op *op = scan->op;
	sqlite3_stmt *query = database_prepare_statement(scan->store->background_db, sql);
	char bound[KEY_BOUND_BYTES];
	int code = query ? SQLITE_DONE : SQLITE_NOMEM;

	if (!query)
		return code;
	(void)sqlite3_bind_text(query, 1, op->ns.data, (int)op->ns.len, SQLITE_STATIC);
	bind_bytes(query, 2, from.data, store_indexed_len(from));
	bind_bytes(query, 3, bound, store_prefix_bound(op->prefix, bound));
	/* Nothing is smaller than NULL's place in the order of types, but NULL compares as unknown;
	 * the empty text comes before every blob. */
	if (op->has_after)
		bind_bytes(query, 4, op->after.data, op->after.len);
	else
		(void)sqlite3_bind_text(query, 4, "", 0, SQLITE_STATIC);
	bind_bytes(query, 5, op->prefix.data, op->prefix.len);
	(void)sqlite3_bind_int64(query, 6, store_now_us(scan->store));
	(void)sqlite3_bind_int64(query, 7, (int64_t)(op->limit - op->entry_count) + 1);
	(void)sqlite3_bind_int64(query, 8, store_hash(scan->store, op->after));
	while (!scan->is_full && (code = sqlite3_step(query)) == SQLITE_ROW) {
		if (op->entry_count == op->limit ||
		    (op->max_key_bytes > 0 && scan->key_bytes >= op->max_key_bytes)) {
			scan->is_full = true;
			code = SQLITE_DONE;
		} else if (read_entry(scan->store, query, &op->entries[op->entry_count])) {
			scan->key_bytes += op->entries[op->entry_count++].key.len;
		} else {
			code = SQLITE_NOMEM;
			break;
		}
	}
	(void)sqlite3_finalize(query);
	return code;
}

/* Beginnings as the index has them. */
static int compare_beginnings(struct slice a, struct slice b)
{
	a.len = store_indexed_len(a);
	b.len = store_indexed_len(b);
	return slice_compare(a, b);
}

static int scan_in_any_order(struct scan *scan)
{
	const struct cache_op *op = scan->op;

	if (!op->has_after || compare_beginnings(op->after, op->prefix) < 0)
		return scan_rows(scan, from_in_index_order, op->prefix);
	int code = scan_rows(scan, rest_in_index_order, op->after);
	if (code == SQLITE_DONE && !scan->is_full)
		code = scan_rows(scan, behind_in_index_order, op->after);
	return code;
}

static int scan_in_byte_order(struct scan *scan)
{
	struct slice from = scan->op->prefix;

	if (scan->op->has_after && slice_compare(scan->op->after, from) > 0)
		from = scan->op->after;
	return scan_rows(scan, in_byte_order, from);
}

void scan_run(struct sqlite_store *store, struct cache_op *op)
{
	struct scan scan = {.store = store, .op = op};
	int code = SQLITE_NOMEM;

	op->entries = calloc(op->limit, sizeof(*op->entries));
	if (op->entries) {
		/* The writer stands still, so that no waiting use is counted twice or missed. */
		(void)pthread_mutex_lock(&store->uses_order);
		code = op->any_order ? scan_in_any_order(&scan) : scan_in_byte_order(&scan);
		(void)pthread_mutex_unlock(&store->uses_order);
	}
	op->complete = !scan.is_full;
	cache_op_complete(op, code == SQLITE_DONE ? CACHE_OK
						  : database_status(store->background_db, code));
}
