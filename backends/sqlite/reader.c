/* Gets, on the thread that asks.
 *
 * A read transaction costs as much as the look-up itself, so a reader keeps its transaction open
 * from one request to the next for as long as nobody has written. Whether somebody has, in this
 * process or another, is written in the first 48 bytes of the WAL index (the "-shm" file, see
 * sqlite.org/walformat.html): its change counter, length and checksums differ after every commit. A
 * commit is answered after that header was written, so whoever has seen the answer reads the value.
 *
 * Transactions that are held by an idle reader would keep the log from being folded back into the
 * file; the background thread ends them (readers_release). */
#include "backends/sqlite/reader_state.h"

/* ---- The snapshot ---- */

static struct reader *acquire_reader(struct sqlite_store *store)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine;

	if (mine == 0)
		mine = atomic_fetch_add(&threads, 1) + 1;
	return readers_acquire(store, mine);
}

/* Makes the reader see everything that was committed before the call. */
static int refresh_snapshot(struct reader *reader)
{
	struct wal_state now = {0};

	if (reader->wal_index)
		wal_index_read(reader->wal_index, &now);
	if (reader->in_transaction && reader->wal_index && wal_state_equal(&now, &reader->seen))
		return SQLITE_OK;
	reader_end_transaction(reader);
	int code = database_run(reader->begin);
	if (code != SQLITE_DONE)
		return code;
	reader->in_transaction = true;
	reader->snapshot++;
	reader->seen = now;
	reader->is_exact = false;
	return SQLITE_OK;
}

/* The first look-up after BEGIN, which is always that of a namespace, has taken the snapshot: if
 * the header is still the one from before, the snapshot is of that state and of no later one. */
static void note_exactness(struct reader *reader)
{
	struct wal_state now;

	if (reader->is_exact || !reader->wal_index)
		return;
	wal_index_read(reader->wal_index, &now);
	reader->is_exact = wal_state_equal(&now, &reader->seen);
}

/* NULL: the look-up failed with *ret_code. */
static struct cached_namespace *find_namespace(struct sqlite_store *store, struct reader *reader,
					       struct slice name, int *ret_code)
{
	struct cached_namespace *found = NULL;

	*ret_code = SQLITE_OK;
	for (unsigned i = 0; i < CACHED_NAMESPACES && !found; i++) {
		struct cached_namespace *cached = &reader->namespaces[i];

		if (cached->name_len == name.len && memcmp(cached->name, name.data, name.len) == 0)
			found = cached;
	}
	if (found && found->snapshot == reader->snapshot)
		return found;
	if (!found) {
		found = &reader->namespaces[reader->next_cached++ % CACHED_NAMESPACES];
		*found = (struct cached_namespace){.name_len = name.len};
		memcpy(found->name, name.data, name.len);
	}
	unsigned faults = mapping_faults(&store->mapping);
	(void)sqlite3_bind_text(reader->find_namespace, 1, name.data, (int)name.len, SQLITE_STATIC);
	int code = sqlite3_step(reader->find_namespace);
	found->id = code == SQLITE_ROW ? sqlite3_column_int64(reader->find_namespace, 0) : 0;
	found->has_stale = false;
	int reset = sqlite3_reset(reader->find_namespace);
	if (!mapping_is_intact(&store->mapping, faults))
		code = reset = SQLITE_IOERR_MMAP;
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		found->snapshot = 0;
		*ret_code = reset;
		return NULL;
	}
	if (found->id != 0 && !found->counters)
		found->counters = store_counters(store, name);
	found->snapshot = reader->snapshot;
	note_exactness(reader);
	return found;
}

/* ---- Items ---- */

/* The value in the row that find_entry stands on. */
static struct cache_value *copy_value(sqlite3_stmt *row)
{
	struct slice type = {.data = (const char *)sqlite3_column_text(row, 3)};
	struct slice bytes = {.data = sqlite3_column_blob(row, 6)};
	struct etag etag = {0};

	type.len = (size_t)sqlite3_column_bytes(row, 3);
	bytes.len = (size_t)sqlite3_column_bytes(row, 6);
	if (!type.data || (!bytes.data && sqlite3_column_type(row, 6) != SQLITE_BLOB))
		return NULL; /* SQLite had no memory for them */
	if (sqlite3_column_bytes(row, 1) == (int)sizeof(etag.bytes))
		memcpy(etag.bytes, sqlite3_column_blob(row, 1), sizeof(etag.bytes));
	struct cache_value *value = cache_value_create(bytes.len, type);
	if (!value)
		return NULL;
	if (bytes.len > 0)
		memcpy(cache_value_data(value), bytes.data, bytes.len);
	cache_value_seal_known(value, &etag, (uint8_t)sqlite3_column_int(row, 2));
	value->modified_at_us = sqlite3_column_int64(row, 4);
	value->expires_at_us = sqlite3_column_int64(row, 5);
	return value;
}

static void count_use(struct sqlite_store *store, const struct cache_op *op,
		      const struct cached_namespace *ns, int64_t id, int64_t now_us)
{
	if (op->type == CACHE_OP_GET && !op->no_touch)
		(void)uses_add(&store->uses, &(struct use){.id = id,
							   .namespace_id = ns->id,
							   .last_access_us = order_clock_at(
								   &store->order_clock, now_us),
							   .count = 1});
}

/* Whether an entry that has expired may still be served, which costs a look-up of its own where one
 * has. SQLITE_OK or an error. */
static int ask_stale(struct reader *reader, const struct cache_op *op, struct cached_namespace *ns,
		     int64_t expires_us, int64_t now_us, bool *ret)
{
	*ret = false;
	if (!op->serve_stale)
		return SQLITE_OK;
	if (!ns->has_stale) {
		(void)sqlite3_bind_int64(reader->find_stale_ttl, 1, ns->id);
		int code = sqlite3_step(reader->find_stale_ttl);
		ns->has_stale = code == SQLITE_ROW;
		ns->stale_us = sqlite3_column_int64(reader->find_stale_ttl, 0) * US_PER_S;
		int reset = sqlite3_reset(reader->find_stale_ttl);
		if (code != SQLITE_ROW && code != SQLITE_DONE)
			return reset;
	}
	*ret = ns->has_stale && expires_us + ns->stale_us > now_us;
	return SQLITE_OK;
}

/* Sets status and `stale` of an item whose entry expires at `expires_us`. SQLITE_OK or an error. */
static int judge_item(struct reader *reader, const struct cache_op *op, struct cached_namespace *ns,
		      int64_t expires_us, int64_t now_us, struct cache_item *item)
{
	bool live = expires_us == 0 || expires_us > now_us;
	int code = SQLITE_OK;

	item->stale = false;
	if (!live)
		code = ask_stale(reader, op, ns, expires_us, now_us, &item->stale);
	item->status = live || item->stale ? CACHE_OK : CACHE_NOT_FOUND;
	return code;
}

/* The item from the values in memory. False: not there, or expired since; the tables know. */
static bool recall_item(struct sqlite_store *store, struct reader *reader,
			const struct cache_op *op, struct cached_namespace *ns, int64_t now_us,
			int64_t hash, struct cache_item *item)
{
	int64_t id = 0;
	struct cache_value *value =
		values_find(&store->values, &reader->seen, ns->id, hash, item->key, &id);

	if (!value)
		return false;
	bool found = judge_item(reader, op, ns, value->expires_at_us, now_us, item) == SQLITE_OK &&
		     item->status == CACHE_OK;
	if (found)
		count_use(store, op, ns, id, now_us);
	if (found && op->type == CACHE_OP_GET)
		item->value = value; /* the reference goes on to the op */
	else
		cache_value_release(value);
	return found;
}

/* Sets the item's status and, for a get, its value. */
static int read_item(struct sqlite_store *store, struct reader *reader, const struct cache_op *op,
		     struct cached_namespace *ns, int64_t now_us, struct cache_item *item)
{
	bool cached = reader->is_exact && values_are_on(&store->values);
	unsigned faults = mapping_faults(&store->mapping);
	sqlite3_stmt *find = reader->find_entry;
	int64_t hash = cached ? store_hash(store, item->key) : 0;
	int64_t id = 0;
	int failure = SQLITE_OK;

	item->status = CACHE_NOT_FOUND;
	if (ns->id == 0)
		return SQLITE_OK;
	if (cached && recall_item(store, reader, op, ns, now_us, hash, item))
		return SQLITE_OK;
	store_bind_key(store, find, 1, ns->id, item->key);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		id = sqlite3_column_int64(find, 0);
		failure = judge_item(reader, op, ns, sqlite3_column_int64(find, 5), now_us, item);
		if (failure == SQLITE_OK && item->status == CACHE_OK && op->type == CACHE_OP_GET) {
			item->value = copy_value(find);
			if (!item->value)
				item->status = CACHE_NO_MEMORY;
		}
	}
	int reset = sqlite3_reset(find);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		failure = reset;
	/* Neither a value nor a miss is believed before. */
	if (!mapping_is_intact(&store->mapping, faults))
		failure = SQLITE_IOERR_MMAP;
	if (failure != SQLITE_OK) {
		cache_value_release(item->value);
		item->value = NULL;
	}
	if (item->value) {
		count_use(store, op, ns, id, now_us);
		if (cached && !op->no_touch)
			values_insert(&store->values, &reader->seen, reader->wal_index,
				      &(struct values_change){.namespace_id = ns->id,
							      .hash = hash,
							      .id = id,
							      .key = item->key,
							      .value = item->value});
	}
	return failure;
}

/* ---- Operations ---- */

static void count_hits(const struct cache_op *op, struct counters *counters)
{
	unsigned long long hits = 0;
	unsigned long long stale_hits = 0;

	if (op->type != CACHE_OP_GET || op->no_touch || !counters)
		return;
	for (size_t i = 0; i < op->item_count; i++) {
		hits += op->items[i].status == CACHE_OK;
		stale_hits += op->items[i].stale;
	}
	if (hits > 0)
		(void)atomic_fetch_add_explicit(&counters->hits, hits, memory_order_relaxed);
	if (stale_hits > 0)
		(void)atomic_fetch_add_explicit(&counters->stale_hits, stale_hits,
						memory_order_relaxed);
	if (hits < op->item_count)
		(void)atomic_fetch_add_explicit(&counters->misses, op->item_count - hits,
						memory_order_relaxed);
}

/* One attempt; SQLITE_OK or an error, and then no item has a value. */
static int try_items(struct sqlite_store *store, struct reader *reader, struct cache_op *op)
{
	struct cached_namespace *ns = NULL;
	size_t done = 0;
	int code = refresh_snapshot(reader);

	if (code == SQLITE_OK)
		ns = find_namespace(store, reader, op->ns, &code);
	int64_t now_us = store_now_us(store);
	for (; ns && done < op->item_count && code == SQLITE_OK; done++)
		code = read_item(store, reader, op, ns, now_us, &op->items[done]);
	if (code == SQLITE_OK && ns)
		count_hits(op, ns->counters);
	for (size_t i = 0; i < done && code != SQLITE_OK; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
	if (code != SQLITE_OK)
		reader_end_transaction(reader);
	return code;
}

static void read_items(struct sqlite_store *store, struct cache_op *op)
{
	struct reader *reader = acquire_reader(store);
	enum cache_status status = CACHE_OK;
	unsigned faults = mapping_faults(&store->mapping);
	int code = try_items(store, reader, op);

	/* Without the mapping from now on. */
	if (code != SQLITE_OK && mapping_faults(&store->mapping) != faults)
		code = try_items(store, reader, op);
	for (size_t i = 0; i < op->item_count && code == SQLITE_OK; i++)
		if (op->items[i].status == CACHE_NO_MEMORY)
			status = CACHE_NO_MEMORY;
	if (code != SQLITE_OK)
		status = database_refuse(store, reader->db, code, op);
	if (!reader->wal_index)
		reader_end_transaction(reader);
	(void)pthread_mutex_unlock(&reader->lock);
	if (status == CACHE_OK && op->items == &op->one)
		status = op->one.status;
	cache_op_complete(op, status);
}

void reader_get(struct backend *backend, struct cache_op *op)
{
	read_items((struct sqlite_store *)backend, op);
}

void reader_exists(struct backend *backend, struct cache_op *op)
{
	read_items((struct sqlite_store *)backend, op);
}
