#include "server/http/aside.h"

#include "base/value_zstd.h"
#include "server/http/admit.h"
#include "server/http/exchange_handler.h"
#include "server/http/exchange_op.h"

/* What an item, an entry of a listing, or a namespace counts besides its texts. */
#define ITEM_BYTES      32
#define ENTRY_BYTES     256
#define NAMESPACE_BYTES 1024
/* A batch of more items takes long in any store. */
#define HEAVY_ITEMS 512
/* A set that counts this much may have to evict very many entries. */
#define HEAVY_SIZE_BYTES (UINT64_C(1) << 20)

static struct exchange *exchange_of(struct offload_job *job)
{
	return (struct exchange *)(void *)((char *)job - offsetof(struct exchange, job));
}

static void run(struct exchange *exchange, void (*job)(struct offload_job *job))
{
	atomic_store(&exchange->park, PARK_RUNNING);
	exchange->job.run = job;
	offload_submit(&exchange->shared->offload, &exchange->job);
}

/* ---- When ---- */

static bool is_heavy(const struct cache_op *op)
{
	/* Nearly all ops have one item. */
	if (op->items == &op->one && cache_op_has_items(op->type))
		return op->type == CACHE_OP_SET && op->one.size_bytes > HEAVY_SIZE_BYTES;
	if (op->type == CACHE_OP_STATS)
		return op->ns.len == 0;
	return cache_op_has_items(op->type) && op->item_count > HEAVY_ITEMS;
}

static bool has_heavy_items(const struct cache_op *op)
{
	size_t bytes = 0;

	for (size_t i = 0; i < op->item_count && bytes <= HEAVY_BYTES; i++) {
		const struct cache_item *item = &op->items[i];

		bytes += ITEM_BYTES + item->key.len;
		if (op->type == CACHE_OP_GET && item->value)
			bytes += item->value->len_bytes;
	}
	return bytes > HEAVY_BYTES;
}

static bool has_heavy_entries(const struct cache_op *op)
{
	size_t bytes = 0;

	for (size_t i = 0; i < op->entry_count && bytes <= HEAVY_BYTES; i++)
		bytes += ENTRY_BYTES + op->entries[i].key.len;
	return bytes > HEAVY_BYTES;
}

bool aside_answer_is_heavy(const struct exchange *exchange)
{
	const struct cache_op *op = &exchange->request.op;

	switch (op->type) {
	case CACHE_OP_GET:
	case CACHE_OP_EXISTS:
		return has_heavy_items(op);
	case CACHE_OP_SCAN:
		return has_heavy_entries(op);
	case CACHE_OP_STATS:
		return op->stats_count > HEAVY_BYTES / NAMESPACE_BYTES;
	default:
		return false;
	}
}

bool aside_decoding_is_heavy(const struct cache_op *op)
{
	uint32_t len;

	return value_zstd_len(op->one.value, &len) && len > HEAVY_BYTES;
}

/* ---- What runs aside: the last act of each lets the connection continue, which may end the
 * exchange ---- */

static void run_start(struct offload_job *job)
{
	struct exchange *exchange = exchange_of(job);

	if (exchange_handler_start(exchange)) {
		exchange_op_submit(exchange);
		return;
	}
	exchange->is_made = true;
	exchange_op_go_on(exchange);
}

void aside_start(struct exchange *exchange)
{
	run(exchange, run_start);
}

static void run_submit(struct offload_job *job)
{
	exchange_op_submit(exchange_of(job));
}

void aside_submit(struct exchange *exchange)
{
	if (is_heavy(&exchange->request.op))
		run(exchange, run_submit);
	else
		exchange_op_submit(exchange);
}

static void run_finish(struct offload_job *job)
{
	struct exchange *exchange = exchange_of(job);

	exchange_handler_answer(exchange);
	exchange->is_made = true;
	exchange_op_go_on(exchange);
}

void aside_finish(struct exchange *exchange)
{
	run(exchange, run_finish);
}

static void run_proceed(struct offload_job *job)
{
	struct exchange *exchange = exchange_of(job);

	exchange->step = exchange->handler->proceed(&exchange->request, &exchange->response,
						    exchange->is_end);
	exchange->has_step = true;
	if (exchange->step == STEP_SUBMIT && admit_op(exchange)) {
		exchange_op_submit(exchange);
		return;
	}
	if (exchange->step == STEP_SUBMIT) /* refused */
		exchange->step = STEP_RESPOND;
	exchange_op_go_on(exchange);
}

void aside_proceed(struct exchange *exchange, bool is_end)
{
	exchange->is_end = is_end;
	run(exchange, run_proceed);
}
