/* Gets, on the thread that asks; those of large values go on on another (large.h).
 *
 * A read transaction costs as much as the look-up itself, so a reader keeps its transaction open
 * from one request to the next for as long as nobody has written. Whether somebody has, in this
 * process or another, is written in the first 48 bytes of the WAL index (the "-shm" file, see
 * sqlite.org/walformat.html): its change counter, length and checksums differ after every commit. A
 * commit is answered after that header was written, so whoever has seen the answer reads the value.
 *
 * Transactions that are held by an idle reader would keep the log from being folded back into the
 * file; the background thread ends them (readers_release). */
#include "backends/sqlite/read/reader_state.h"

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

/* What the row says of its value. */
struct row_head {
	struct large_key key;
	uint8_t flags;
};

static void read_head(sqlite3_stmt *row, struct row_head *ret)
{
	struct large_key *key = &ret->key;

	*ret = (struct row_head){.flags = (uint8_t)sqlite3_column_int(row, 2)};
	key->type.data = (const char *)sqlite3_column_text(row, 3);
	key->type.len = (size_t)sqlite3_column_bytes(row, 3);
	key->modified_at_us = sqlite3_column_int64(row, 4);
	key->expires_at_us = sqlite3_column_int64(row, 5);
	if (sqlite3_column_bytes(row, 1) == (int)sizeof(key->etag.bytes))
		memcpy(key->etag.bytes, sqlite3_column_blob(row, 1), sizeof(key->etag.bytes));
}

static void seal(struct cache_value *value, const struct row_head *head)
{
	cache_value_seal_known(value, &head->key.etag, head->flags);
	value->modified_at_us = head->key.modified_at_us;
	value->expires_at_us = head->key.expires_at_us;
}

static bool has_large_value(sqlite3_stmt *row)
{
	return sqlite3_column_type(row, 6) == SQLITE_NULL;
}

/* The value in the row that find_entry stands on. NULL: out of memory. */
static struct cache_value *copy_value(sqlite3_stmt *row)
{
	struct slice bytes = {.data = sqlite3_column_blob(row, 6)};
	struct row_head head;

	read_head(row, &head);
	bytes.len = (size_t)sqlite3_column_bytes(row, 6);
	if (!head.key.type.data || (bytes.len > 0 && !bytes.data))
		return NULL; /* SQLite had no memory for them */
	struct cache_value *value = cache_value_create(bytes.len, head.key.type);
	if (!value)
		return NULL;
	if (bytes.len > 0)
		memcpy(cache_value_data(value), bytes.data, bytes.len);
	seal(value, &head);
	return value;
}

/* One op, as it is being read. */
struct pass {
	struct sqlite_store *store;
	struct reader *reader;
	struct cache_op *op;
	struct cached_namespace *ns;
	int64_t now_us;
	int64_t order_us;     /* the same by the order clock, for the first item */
	uint64_t value_bytes; /* of the values so far */
	size_t at;            /* the item */
	bool is_aside;        /* on a thread that may take its time */
	bool wants_aside;     /* this one may not */
};

/* Copies the large value of row `id` out of the file. A code of SQLite's; *ret is NULL where that
 * is none of a failure: there is no memory. */
static int copy_large(const struct pass *pass, int64_t id, const struct row_head *head,
		      struct cache_value **ret, enum cache_status *ret_status)
{
	struct large *large = &pass->store->large;
	struct cache_value *value = NULL;
	struct mapping *mapping = &pass->store->mapping;
	unsigned faults = mapping_faults(mapping);
	sqlite3_blob *blob = NULL;
	int code = sqlite3_blob_open(pass->reader->db, "main", "entries", "value", id, 0, &blob);
	int len = code == SQLITE_OK ? sqlite3_blob_bytes(blob) : 0;
	uint64_t max = pass->op->max_value_bytes;

	*ret_status = CACHE_OK;
	if (code != SQLITE_OK) {
		/* told by the code */
	} else if (max > 0 && pass->value_bytes + (uint64_t)len > max) {
		*ret_status = CACHE_TOO_LARGE;
	} else if (!large_reserve(large, (uint64_t)len)) {
		*ret_status = CACHE_UNAVAILABLE;
		pass->op->detail = "too many large values are being sent at once; try again";
	} else {
		value = cache_value_create((size_t)len, head->key.type);
		if (!value)
			*ret_status = CACHE_NO_MEMORY;
		else if ((code = sqlite3_blob_read(blob, cache_value_data(value), len, 0)) ==
			 SQLITE_OK)
			seal(value, head);
		/* Before anybody else can find it. */
		if (value && !mapping_is_intact(mapping, faults))
			code = SQLITE_IOERR_MMAP;
		if (code != SQLITE_OK) {
			cache_value_release(value);
			value = NULL;
		}
		value = large_add(large, (uint64_t)len, value);
	}
	(void)sqlite3_blob_close(blob);
	*ret = value;
	return code;
}

/* Gives the item the value of the row that find_entry stands on: a large one from another reader
 * who holds it, or from the file, where this thread may. */
static int take_value(struct pass *pass, int64_t id, struct cache_item *item)
{
	sqlite3_stmt *row = pass->reader->find_entry;
	struct row_head head;
	int code = SQLITE_OK;

	if (!has_large_value(row)) {
		item->value = copy_value(row);
		if (!item->value)
			item->status = CACHE_NO_MEMORY;
		return SQLITE_OK;
	}
	read_head(row, &head);
	item->value = large_find(&pass->store->large, &head.key);
	if (!item->value && !pass->is_aside)
		pass->wants_aside = true;
	else if (!item->value)
		code = copy_large(pass, id, &head, &item->value, &item->status);
	return code;
}

/* Once for each item, also where the op is begun anew aside. */
static void count_use(const struct pass *pass, int64_t id)
{
	const struct cache_op *op = pass->op;

	if (op->type == CACHE_OP_GET && !op->no_touch && pass->at >= op->progress)
		(void)uses_add(&pass->store->uses,
			       &(struct use){.id = id,
					     .namespace_id = pass->ns->id,
					     .last_access_us = pass->order_us + (int64_t)pass->at,
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
	bool live = rules_is_live(expires_us, now_us);
	int code = SQLITE_OK;

	item->stale = false;
	if (!live)
		code = ask_stale(reader, op, ns, expires_us, now_us, &item->stale);
	item->status = live || item->stale ? CACHE_OK : CACHE_NOT_FOUND;
	return code;
}

/* The item from the values in memory. False: not there, or expired since; the tables know. */
static bool recall_item(const struct pass *pass, int64_t hash, struct cache_item *item)
{
	struct reader *reader = pass->reader;
	int64_t id = 0;
	struct cache_value *value = values_find(&pass->store->values, &reader->seen, pass->ns->id,
						hash, item->key, &id);

	if (!value)
		return false;
	bool found = judge_item(reader, pass->op, pass->ns, value->expires_at_us, pass->now_us,
				item) == SQLITE_OK &&
		     item->status == CACHE_OK;
	if (found)
		count_use(pass, id);
	if (found && pass->op->type == CACHE_OP_GET)
		item->value = value; /* the reference goes on to the op */
	else
		cache_value_release(value);
	return found;
}

/* Sets the item's status and, for a get, its value. */
static int read_item(struct pass *pass, struct cache_item *item)
{
	struct sqlite_store *store = pass->store;
	struct reader *reader = pass->reader;
	const struct cache_op *op = pass->op;
	struct cached_namespace *ns = pass->ns;
	bool cached = reader->is_exact && values_are_on(&store->values);
	unsigned faults = mapping_faults(&store->mapping);
	sqlite3_stmt *find = reader->find_entry;
	int64_t hash = cached ? store_hash(store, item->key) : 0;
	int64_t id = 0;
	int failure = SQLITE_OK;

	item->status = CACHE_NOT_FOUND;
	if (ns->id == 0)
		return SQLITE_OK;
	if (cached && recall_item(pass, hash, item))
		return SQLITE_OK;
	store_bind_key(store, find, 1, ns->id, item->key);
	int code = sqlite3_step(find);
	if (code == SQLITE_ROW) {
		id = sqlite3_column_int64(find, 0);
		failure = judge_item(reader, op, ns, sqlite3_column_int64(find, 5), pass->now_us,
				     item);
		if (failure == SQLITE_OK && item->status == CACHE_OK && op->type == CACHE_OP_GET)
			failure = take_value(pass, id, item);
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
		count_use(pass, id);
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

/* All items, until one cannot be had; *ret is what the op comes to. A code of SQLite's. */
static int run_pass(struct pass *pass, enum cache_status *ret)
{
	struct cache_op *op = pass->op;
	int code = SQLITE_OK;

	for (; pass->at < op->item_count && *ret == CACHE_OK; pass->at++) {
		struct cache_item *item = &op->items[pass->at];

		code = read_item(pass, item);
		if (code != SQLITE_OK || pass->wants_aside)
			return code;
		if (item->status != CACHE_OK && item->status != CACHE_NOT_FOUND)
			*ret = item->status;
		if (item->value)
			pass->value_bytes += item->value->len_bytes;
		if (op->max_value_bytes > 0 && pass->value_bytes > op->max_value_bytes)
			*ret = CACHE_TOO_LARGE;
	}
	return code;
}

/* For another attempt, or none. */
static void drop_values(struct pass *pass)
{
	struct cache_op *op = pass->op;

	for (size_t i = 0; i < op->item_count; i++) {
		cache_value_release(op->items[i].value);
		op->items[i].value = NULL;
	}
	if (op->progress < pass->at)
		op->progress = pass->at;
}

/* One attempt; SQLITE_OK or an error, and then no item has a value. */
static int try_items(struct pass *pass, enum cache_status *ret)
{
	struct reader *reader = pass->reader;
	int code = refresh_snapshot(reader);

	pass->ns = NULL;
	pass->at = 0;
	pass->value_bytes = 0;
	if (code == SQLITE_OK)
		pass->ns = find_namespace(pass->store, reader, pass->op->ns, &code);
	pass->now_us = store_now_us(pass->store);
	pass->order_us = order_clock_at(&pass->store->order_clock, pass->now_us);
	if (pass->ns && pass->ns->id != 0 && pass->op->type == CACHE_OP_GET && !pass->op->no_touch)
		order_clock_pass(&pass->store->order_clock, pass->order_us, pass->op->item_count);
	if (pass->ns)
		code = run_pass(pass, ret);
	if (code != SQLITE_OK || pass->wants_aside)
		drop_values(pass);
	else if (pass->ns)
		count_hits(pass->op, pass->ns->counters);
	if (code != SQLITE_OK)
		reader_end_transaction(reader);
	return code;
}

static void read_items(struct sqlite_store *store, struct cache_op *op, bool is_aside)
{
	struct reader *reader = acquire_reader(store);
	struct pass pass = {.store = store, .reader = reader, .op = op, .is_aside = is_aside};
	enum cache_status status = CACHE_OK;
	unsigned faults = mapping_faults(&store->mapping);
	int code = try_items(&pass, &status);

	/* Without the mapping from now on. */
	if (code != SQLITE_OK && mapping_faults(&store->mapping) != faults)
		code = try_items(&pass, &status);
	if (code != SQLITE_OK)
		status = database_refuse(store, reader->db, code, op);
	if (!reader->wal_index)
		reader_end_transaction(reader);
	(void)pthread_mutex_unlock(&reader->lock);
	if (code == SQLITE_OK && pass.wants_aside) {
		large_submit(&store->large, op);
		return;
	}
	cache_op_complete(op, status == CACHE_OK ? rules_status_of_items(op) : status);
}

void reader_get_large(void *user, struct cache_op *op)
{
	read_items(user, op, true);
}

void reader_get(struct backend *backend, struct cache_op *op)
{
	read_items((struct sqlite_store *)backend, op, false);
}

void reader_exists(struct backend *backend, struct cache_op *op)
{
	read_items((struct sqlite_store *)backend, op, false);
}
