#include "backends/sqlite/read/reader.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/read/item.h"
#include "backends/sqlite/read/readers.h"
#include "backends/sqlite/read/snapshot.h"
#include "store/rules.h"

/* In op->part: it must be read while the writer stands still (item.h). */
#define EXACT 1

static struct reader *acquire_reader(struct readers *readers)
{
	static atomic_uint threads;
	static _Thread_local unsigned mine;

	if (mine == 0)
		mine = atomic_fetch_add(&threads, 1) + 1;
	return readers_acquire(readers, mine);
}

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
		counters_add(&counters->hits, hits);
	if (stale_hits > 0)
		counters_add(&counters->stale_hits, stale_hits);
	if (hits < op->item_count)
		counters_add(&counters->misses, op->item_count - hits);
}

/* Reads all items, until one fails; *ret is the op's status. Returns SQLite's code. */
static int run_pass(struct item_pass *pass, enum cache_status *ret)
{
	struct cache_op *op = pass->op;
	int code = SQLITE_OK;

	for (; pass->at < op->item_count && *ret == CACHE_OK; pass->at++) {
		struct cache_item *item = &op->items[pass->at];

		code = item_read(pass, item);
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

/* Before another attempt, or at the end. */
static void drop_values(struct item_pass *pass)
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
static int try_items(struct item_pass *pass, enum cache_status *ret)
{
	struct reader *reader = pass->reader;
	int code = snapshot_refresh(reader);

	pass->ns = NULL;
	pass->at = 0;
	pass->value_bytes = 0;
	if (code == SQLITE_OK)
		pass->ns = snapshot_find_namespace(pass->store, reader, pass->op->ns, &code);
	pass->now_us = store_now_us(pass->store);
	pass->order_us = order_clock_at(&pass->store->order_clock, pass->now_us);
	if (pass->ns && pass->ns->id != 0 && pass->op->type == CACHE_OP_GET && !pass->op->no_touch)
		order_clock_pass(&pass->store->order_clock, pass->order_us, pass->op->item_count);
	if (pass->ns)
		code = run_pass(pass, ret);
	if (code != SQLITE_OK || pass->wants_aside)
		drop_values(pass);
	else if (pass->ns)
		count_hits(pass->op, pass->ns->id != 0 ? pass->ns->counters : NULL);
	if (code != SQLITE_OK)
		readers_end_transaction(reader);
	return code;
}

static void read_items(struct sqlite_store *store, struct cache_op *op, bool is_aside)
{
	bool is_exact = is_aside && op->part == EXACT;

	/* Before a reader is taken. */
	if (is_exact)
		(void)pthread_mutex_lock(&store->uses_order);
	struct reader *reader = acquire_reader(store->readers);
	struct item_pass pass = {
		.store = store,
		.reader = reader,
		.op = op,
		.is_aside = is_aside,
		.is_exact = is_exact,
	};
	enum cache_status status = CACHE_OK;
	unsigned faults = mapping_faults(&store->file.mapping);
	int code = try_items(&pass, &status);

	/* Without the mapping from now on. */
	if (code != SQLITE_OK && mapping_faults(&store->file.mapping) != faults)
		code = try_items(&pass, &status);
	if (code != SQLITE_OK)
		status = database_refuse(&store->file, reader->db, code, op);
	if (!reader->wal_index)
		readers_end_transaction(reader);
	(void)pthread_mutex_unlock(&reader->lock);
	if (is_exact)
		(void)pthread_mutex_unlock(&store->uses_order);
	if (code == SQLITE_OK && pass.wants_aside) {
		op->part = pass.wants_exact ? EXACT : 0;
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
	op->part = 0;
	read_items((struct sqlite_store *)backend, op, false);
}

void reader_exists(struct backend *backend, struct cache_op *op)
{
	op->part = 0;
	read_items((struct sqlite_store *)backend, op, false);
}
