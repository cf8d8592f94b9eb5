#include "backends/sqlite/read/scan.h"

#include <stdlib.h>
#include <string.h>

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

/* All but the key. *ret_access_us: the last use, by the order clock. */
static void read_rest(struct sqlite_store *store, sqlite3_stmt *row, struct cache_entry_info *entry,
		      int64_t *ret_access_us)
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
	*ret_access_us = entry->last_access_us;
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
	struct slice after; /* where it begins, as op->after */
	bool has_after;
	/* op->limit; where entries may be idle one more, which tells whether more follow. */
	size_t limit;
	size_t done; /* the entries before it are read */
	size_t key_bytes;
	int64_t namespace_id; /* keys only */
	bool keys_only;
	int64_t idle_us; /* the idle time of the namespace; 0: none */
	bool is_full;    /* the op has as much as it may have, and there is more */
};

/* Reads what a row says of an entry, while the writer stands still. Whether it may be listed: it is
 * not one that nobody has used for too long. */
static bool take_row(const struct scan *scan, sqlite3_stmt *row, struct cache_entry_info *entry)
{
	struct sqlite_store *store = scan->store;
	int64_t access_us = 0;

	read_rest(store, row, entry, &access_us);
	int64_t order_us = order_clock_at(&store->order_clock, store_now_us(store));
	return !rules_is_idle(access_us, scan->idle_us, order_us) ||
	       atomic_load(&store->uses.lost_us) > order_us - scan->idle_us;
}

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
	if (scan->has_after)
		bind_bytes(query, 4, scan->after.data, scan->after.len);
	else
		(void)sqlite3_bind_text(query, 4, "", 0, SQLITE_STATIC);
	bind_bytes(query, 5, op->prefix.data, op->prefix.len);
	(void)sqlite3_bind_int64(query, 6, store_now_us(scan->store));
	/* Of the rows that are found some may be idle. */
	(void)sqlite3_bind_int64(
		query, 7, scan->idle_us > 0 ? -1 : (int64_t)(scan->limit - op->entry_count) + 1);
	(void)sqlite3_bind_int64(query, 8,
				 key_index_hash(scan->store->file.hash_seed, scan->after));
	while (!scan->is_full && (code = sqlite3_step(query)) == SQLITE_ROW) {
		if (op->entry_count == scan->limit ||
		    (op->max_key_bytes > 0 && scan->key_bytes >= op->max_key_bytes)) {
			scan->is_full = true;
			code = SQLITE_DONE;
		} else {
			struct cache_entry_info *entry = &op->entries[op->entry_count];

			if (!read_key(query, &entry->key)) {
				code = SQLITE_NOMEM;
				break;
			}
			if (scan->keys_only) {
				scan->namespace_id = sqlite3_column_int64(query, 1);
			} else if (!take_row(scan, query, entry)) {
				free((void *)(uintptr_t)entry->key.data);
				continue;
			}
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
	size_t kept = scan->done;
	int code = query ? SQLITE_DONE : database_error(scan->db);

	scan->key_bytes = 0;
	for (size_t i = 0; i < scan->done; i++)
		scan->key_bytes += op->entries[i].key.len;
	for (size_t i = scan->done; i < op->entry_count; i++) {
		struct cache_entry_info entry = op->entries[i];

		if (code == SQLITE_DONE) {
			key_index_bind(query, 1, scan->namespace_id, entry.key,
				       store->file.hash_seed);
			(void)sqlite3_bind_int64(query, 5, store_now_us(store));
			code = sqlite3_step(query);
		}
		if (code == SQLITE_ROW) {
			bool may_list = take_row(scan, query, &entry);

			scan->key_bytes += may_list ? entry.key.len : 0;
			if (may_list)
				op->entries[kept++] = entry;
			else
				free((void *)(uintptr_t)entry.key.data);
			code = SQLITE_DONE;
		} else {
			free((void *)(uintptr_t)entry.key.data);
		}
		if (query)
			(void)sqlite3_reset(query);
	}
	op->entry_count = scan->done = kept;
	(void)sqlite3_finalize(query);
	return code;
}

/* Goes on behind `key`, which is malloc'ed and replaces `*kept`. */
static void move_on(struct scan *scan, struct slice key, char **kept)
{
	free(*kept);
	*kept = (char *)(uintptr_t)key.data;
	scan->after = key;
	scan->has_after = true;
	scan->is_full = false;
}

/* A copy of the last key; NULL: out of memory. */
static char *copy_last(const struct cache_op *op, struct slice *ret)
{
	struct slice last = op->entries[op->entry_count - 1].key;
	char *copy = malloc(last.len + 1);

	if (copy && last.len > 0)
		memcpy(copy, last.data, last.len);
	*ret = (struct slice){.data = copy, .len = last.len};
	return copy;
}

/* One page; *ret_last is a copy of its last key before those that are not there any more were left
 * out. */
static int scan_page(struct scan *scan, struct slice *ret_last)
{
	struct sqlite_store *store = scan->store;
	struct slice from = scan->op->prefix;

	if (scan->has_after && slice_compare(scan->after, from) > 0)
		from = scan->after;
	int code = scan_rows(scan, keys_in_byte_order, from);
	if (code != SQLITE_DONE || scan->op->entry_count == scan->done)
		return code;
	if (!copy_last(scan->op, ret_last))
		return SQLITE_NOMEM;
	(void)pthread_mutex_lock(&store->uses_order);
	code = read_entries_of_keys(scan);
	(void)pthread_mutex_unlock(&store->uses_order);
	return code;
}

/* Whether the page lacks entries although there are others: some were removed in between, or are
 * idle. An empty page would be the last one. */
static bool lacks_some(const struct scan *scan)
{
	const struct cache_op *op = scan->op;
	bool has_bytes = op->max_key_bytes > 0 && scan->key_bytes >= op->max_key_bytes;

	if (!scan->is_full)
		return false;
	return scan->idle_us > 0 ? op->entry_count < scan->limit && !has_bytes
				 : op->entry_count == 0;
}

static int scan_in_byte_order(struct scan *scan)
{
	char *kept = NULL;
	bool goes_on = true;
	int code = SQLITE_DONE;

	scan->keys_only = true;
	while (goes_on) {
		struct slice last = {0};

		code = scan_page(scan, &last);
		goes_on = code == SQLITE_DONE && lacks_some(scan);
		if (goes_on)
			move_on(scan, last, &kept);
		else
			free((char *)(uintptr_t)last.data);
	}
	free(kept);
	return code;
}

/* The idle time of the op's namespace. SQLITE_DONE, or an error. */
static int find_idle_time(struct scan *scan)
{
	const struct cache_op *op = scan->op;
	sqlite3_stmt *query = database_prepare_statement(
		scan->db, "SELECT max_idle FROM namespaces WHERE name = ?1");

	if (!query)
		return database_error(scan->db);
	(void)sqlite3_bind_text(query, 1, op->ns.data, (int)op->ns.len, SQLITE_STATIC);
	int code = sqlite3_step(query);
	if (code == SQLITE_ROW && !scan->store->settings.follows)
		scan->idle_us = sqlite3_column_int64(query, 0) * US_PER_S;
	(void)sqlite3_finalize(query);
	return code == SQLITE_ROW ? SQLITE_DONE : code;
}

void scan_run(struct sqlite_store *store, sqlite3 *db, struct cache_op *op)
{
	struct scan scan = {
		.store = store,
		.db = db,
		.op = op,
		.after = op->after,
		.has_after = op->has_after,
	};
	unsigned faults = mapping_faults(&store->file.mapping);
	int code;

	code = find_idle_time(&scan);
	scan.limit = op->limit + (scan.idle_us > 0);
	op->entries = calloc(scan.limit, sizeof(*op->entries));
	if (!op->entries)
		code = SQLITE_NOMEM;
	if (op->entries && code == SQLITE_DONE) {
		code = op->any_order ? scan_in_any_order(&scan) : scan_in_byte_order(&scan);
	}
	if (op->entries && op->entry_count > op->limit) {
		free((void *)(uintptr_t)op->entries[--op->entry_count].key.data);
		scan.is_full = true;
	}
	op->complete = !scan.is_full;
	if (!mapping_is_intact(&store->file.mapping, faults))
		code = SQLITE_IOERR_MMAP;
	cache_op_complete(op, code == SQLITE_DONE ? CACHE_OK
						  : database_refuse(&store->file, db, code, op));
}
