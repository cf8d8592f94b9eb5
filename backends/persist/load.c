/* The load: the entries of the file, in the order in which they were written, some hundred at a
 * time, with their values as long as memory has room for them; of the others only the heads.
 *
 * Meanwhile ops are right, not misses. Memory knows three kinds of keys: those that it has, those
 * that were removed since the start, and those of which only the file may know. An op of the third
 * kind goes to the thread that loads, which between two steps brings the entries of its keys, and
 * then does the op. So a SET sees what it replaces, and a condition is tested against it. What was
 * set or removed since the start wins: a key that memory knows is not loaded.
 *
 *  - The file changes only by this thread, and a key that is removed is removed in the file before
 *    the next step. So no step reads an entry that was removed before it.
 *  - The accounts of a namespace have the entries of the file from the start. A SET that would
 * evict waits for the end of the load, because the victim may not be loaded yet.
 *  - CLEAR, CONFIGURE, SCAN and STATS wait for the end too. */
#include "backends/persist/load.h"

#include <stdio.h>
#include <unistd.h>

#include "backends/memory/memory.h"
#include "backends/memory/mirror/copy.h"
#include "backends/persist/flush.h"
#include "backends/sqlite/read/rows.h"
#include "base/thread.h"
#include "store/notice.h"

#define STEP_ROWS 256
/* Larger values are read when somebody asks for them. */
#define LOADED_VALUE_MAX_BYTES (UINT64_C(64) << 10)
/* How long it waits after the file could not be read. */
#define RETRY_US (US_PER_S / 2)

/* ---- Entries ---- */

static enum cache_status adopt(void *user, const struct rows_entry *entry)
{
	struct persist *persist = user;
	struct namespace *ns = mirror_find(persist->all, entry->ns);
	bool expires = false;
	struct mirror_row row = {
		.key = entry->key,
		.type = entry->type,
		.bytes = entry->bytes,
		.len_bytes = entry->len_bytes,
		.size_bytes = entry->size_bytes,
		.flags = entry->flags,
		.etag = entry->etag,
		.modified_at_us = entry->modified_at_us,
		.expires_at_us = entry->expires_at_us,
		.history = entry->history,
	};

	if (!ns)
		return CACHE_OK;
	if (!mirror_adopt(persist->all, ns, &row, &expires))
		return CACHE_NO_MEMORY;
	if (expires)
		memory_note_expiring(persist->memory);
	atomic_fetch_add(&persist->counts.loaded, 1);
	return CACHE_OK;
}

/* ---- Ops that wait ---- */

/* Brings the entries of the op's keys. */
static enum cache_status bring(struct persist *persist, const struct cache_op *op)
{
	struct namespace *ns = mirror_find(persist->all, op->ns);
	enum cache_status status = CACHE_OK;

	for (size_t i = 0; i < op->item_count && status == CACHE_OK; i++)
		if (!mirror_knows(ns, op->items[i].key))
			status = rows_find(persist->rows, op->ns, op->items[i].key, adopt, persist);
	return status;
}

static void answer_unknown(struct persist *persist)
{
	struct op_queue ops = persist_take(persist, &persist->unknown);
	struct cache_op *op;

	while ((op = op_queue_pop(&ops))) {
		enum cache_status status = persist->rows ? bring(persist, op) : CACHE_OK;

		if (status == CACHE_OK)
			backend_submit(persist->memory, op);
		else
			cache_op_complete(op, status);
	}
}

/* Whether memory can do the op although not all is loaded. */
static bool is_known(struct persist *persist, const struct cache_op *op)
{
	struct namespace *ns = mirror_find(persist->all, op->ns);

	for (size_t i = 0; i < op->item_count; i++)
		if (!mirror_knows(ns, op->items[i].key))
			return false;
	return true;
}

bool load_takes(struct persist *persist, struct cache_op *op)
{
	bool has_keys = cache_op_has_items(op->type);
	bool taken;

	if (has_keys && is_known(persist, op))
		return false;
	(void)pthread_mutex_lock(&persist->lock);
	taken = atomic_load(&persist->mirror.is_loading);
	if (taken) {
		op_queue_push(has_keys ? &persist->unknown : &persist->unloaded, op);
		(void)pthread_cond_signal(&persist->wake);
	}
	(void)pthread_mutex_unlock(&persist->lock);
	return taken;
}

/* ---- Steps ---- */

/* Refuses the ops of `queue`. */
static void refuse(struct persist *persist, struct op_queue *queue, const char *sentence)
{
	struct op_queue ops = persist_take(persist, queue);
	struct cache_op *op;

	while ((op = op_queue_pop(&ops))) {
		op->detail = sentence;
		cache_op_complete(op, CACHE_UNAVAILABLE);
	}
}

void load_refuse_waiting(struct persist *persist, const char *sentence)
{
	refuse(persist, &persist->unloaded, sentence);
	refuse(persist, &persist->parked, sentence);
}

static void fail(struct persist *persist, enum cache_status status)
{
	if (!atomic_exchange(&persist->counts.is_failing, true))
		notice_send(&persist->config, NOTICE_ERROR,
			    "the entries of the database cannot be loaded: %s; trying again",
			    cache_status_text(status));
	load_refuse_waiting(persist, "the entries of the database cannot be loaded now");
	(void)pthread_mutex_lock(&persist->lock);
	int64_t until_us = monotonic_now_us() + RETRY_US;
	while (!persist->stop && !persist->unknown.first &&
	       thread_wait_until(&persist->wake, &persist->lock, until_us))
		continue;
	(void)pthread_mutex_unlock(&persist->lock);
}

bool load_step(struct persist *persist)
{
	bool more = true;

	answer_unknown(persist);
	if (!flush_removed(persist)) {
		fail(persist, CACHE_UNAVAILABLE);
		return false;
	}
	enum cache_status status = rows_next(persist->rows, STEP_ROWS, adopt, persist, &more);
	if (status != CACHE_OK)
		fail(persist, status);
	else if (atomic_exchange(&persist->counts.is_failing, false))
		notice_send(&persist->config, NOTICE_INFO, "the database can be used again");
	return !more;
}

void load_end(struct persist *persist)
{
	struct op_queue ops;
	struct cache_op *op;

	/* From here on memory knows of every key whether it exists. */
	mirror_end_load(persist->all);
	(void)pthread_mutex_lock(&persist->lock);
	atomic_store(&persist->mirror.is_loading, false);
	struct op_queue unknown = op_queue_take(&persist->unknown);
	struct op_queue unloaded = op_queue_take(&persist->unloaded);
	ops = op_queue_take(&persist->parked);
	(void)pthread_mutex_unlock(&persist->lock);
	load_close(persist);
	while ((op = op_queue_pop(&unknown)))
		backend_submit(persist->memory, op);
	while ((op = op_queue_pop(&ops)))
		backend_submit(persist->memory, op);
	while ((op = op_queue_pop(&unloaded)))
		backend_submit(persist->memory, op);
}

void load_close(struct persist *persist)
{
	rows_close(persist->rows);
	persist->rows = NULL;
}

/* ---- Open ---- */

static bool adopt_namespaces(struct persist *persist, char *error, size_t error_size)
{
	struct cache_op op;
	bool ok = true;

	cache_op_init(&op, CACHE_OP_STATS);
	enum cache_status status = backend_call(persist->file, &op);
	if (status != CACHE_OK)
		(void)snprintf(error, error_size, "cannot read the namespaces of the database: %s",
			       op.detail ? op.detail : cache_status_text(status));
	for (size_t i = 0; i < op.stats_count && status == CACHE_OK && ok; i++) {
		ok = mirror_adopt_namespace(persist->all, &op.stats[i]) != NULL;
		atomic_fetch_add(&persist->counts.to_load, op.stats[i].entry_count);
	}
	if (!ok)
		(void)snprintf(error, error_size, "cannot load the database: out of memory");
	cache_op_deinit(&op);
	memory_note_expiring(persist->memory); /* some may have an idle time */
	return ok && status == CACHE_OK;
}

bool load_open(struct persist *persist, char *error, size_t error_size)
{
	struct order_clock_state state;

	rows_order_clock(persist->file, &state);
	mirror_restore_clock(persist->all, &state);
	rows_follow(persist->file, mirror_clock(persist->all));
	if (!adopt_namespaces(persist, error, error_size))
		return false;
	if (atomic_load(&persist->counts.to_load) == 0)
		return true;
	persist->rows = rows_open(persist->file, LOADED_VALUE_MAX_BYTES, error, error_size);
	if (!persist->rows)
		return false;
	atomic_store(&persist->mirror.is_loading, true);
	return true;
}
