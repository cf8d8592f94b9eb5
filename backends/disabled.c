#include "backends/disabled.h"

#include <stdlib.h>

#include "store/rules.h"

static struct backend *disabled_open(const struct backend_config *config, char *error,
				     size_t error_size)
{
	static struct backend disabled = {.ops = &disabled_backend_ops};

	(void)config;
	(void)error;
	(void)error_size;
	return &disabled;
}

static void disabled_miss(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	for (size_t i = 0; i < op->item_count; i++)
		op->items[i].status = CACHE_NOT_FOUND;
	rules_complete_items(op);
}

static void disabled_set(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	for (size_t i = 0; i < op->item_count; i++) {
		op->items[i].status = CACHE_OK;
		op->items[i].created = true;
	}
	cache_op_complete(op, CACHE_OK);
}

static void disabled_succeed(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	op->complete = true; /* of a listing: nothing follows */
	cache_op_complete(op, CACHE_OK);
}

/* There is no namespace that could be dropped. */
static void disabled_clear(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	cache_op_complete(op, op->drop ? CACHE_NOT_FOUND : CACHE_OK);
}

static void disabled_stats(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	if (op->ns.len > 0) {
		op->stats = calloc(1, sizeof(*op->stats));
		if (!op->stats) {
			cache_op_complete(op, CACHE_NO_MEMORY);
			return;
		}
		op->stats_count = 1;
		memcpy(op->stats[0].name, op->ns.data, op->ns.len);
		op->stats[0].settings = (struct namespace_settings){.policy = EVICT_NONE};
	}
	cache_op_complete(op, CACHE_OK);
}

static void disabled_close(struct backend *backend)
{
	(void)backend;
}

const struct backend_ops disabled_backend_ops = {
	.name = "disabled",
	.bits = BACKEND_KEEPS_NOTHING | BACKEND_WHOLE,
	.default_policy = EVICT_NONE,
	.open = disabled_open,
	.get = disabled_miss,
	.set = disabled_set,
	.remove = disabled_miss,
	.exists = disabled_miss,
	.expire = disabled_miss,
	.clear = disabled_clear,
	.scan = disabled_succeed,
	.stats = disabled_stats,
	.configure = disabled_succeed,
	.sync = disabled_succeed,
	.check = disabled_succeed,
	.close = disabled_close,
};
