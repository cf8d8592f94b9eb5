#include "backends/redis/scatter.h"

#include <stdlib.h>

#include "backends/remote/backend.h"

struct redis_scatter *redis_scatter_create(struct backend *backend, struct cache_op *op,
					   size_t capacity, size_t more_bytes,
					   void (*finish)(struct redis_scatter *scatter))
{
	struct redis_scatter *scatter =
		malloc(sizeof(*scatter) + capacity * sizeof(struct cache_op));

	if (scatter)
		*scatter = (struct redis_scatter){
			.backend = backend,
			.op = op,
			.finish = finish,
			.more = calloc(1, more_bytes + 1),
		};
	if (scatter && scatter->more)
		return scatter;
	free(scatter);
	cache_op_complete(op, CACHE_NO_MEMORY);
	return NULL;
}

static void child_done(struct cache_op *child)
{
	struct redis_scatter *scatter = child->user;

	if (atomic_fetch_sub(&scatter->left, 1) == 1)
		scatter->finish(scatter);
}

struct cache_op *redis_scatter_add(struct redis_scatter *scatter, unsigned index)
{
	struct cache_op *child = &scatter->children[scatter->count++];

	cache_op_init(child, scatter->op->type);
	child->ns = scatter->op->ns;
	child->trace = scatter->op->trace;
	child->patience_us = scatter->op->patience_us;
	child->part = index + 1;
	child->done = child_done;
	child->user = scatter;
	return child;
}

void redis_scatter_send(struct redis_scatter *scatter)
{
	struct backend *backend = scatter->backend;
	size_t count = scatter->count;

	atomic_store(&scatter->left, count);
	for (size_t i = 0; i < count; i++)
		remote_backend_submit(backend, &scatter->children[i]);
}

void redis_scatter_reset(struct redis_scatter *scatter)
{
	for (size_t i = 0; i < scatter->count; i++)
		cache_op_deinit(&scatter->children[i]);
	scatter->count = 0;
}

const struct cache_op *redis_scatter_failed(const struct redis_scatter *scatter)
{
	for (size_t i = 0; i < scatter->count; i++)
		if (scatter->children[i].status != CACHE_OK)
			return &scatter->children[i];
	return NULL;
}

void redis_scatter_end(struct redis_scatter *scatter, enum cache_status status,
		       const struct cache_op *failed)
{
	struct cache_op *op = scatter->op;

	if (failed) {
		status = failed->status;
		op->detail = failed->detail;
		op->retry_after_s = failed->retry_after_s;
	}
	redis_scatter_reset(scatter);
	free(scatter->more);
	free(scatter);
	if (failed && (op->type == CACHE_OP_SET || op->type == CACHE_OP_DELETE ||
		       op->type == CACHE_OP_EXPIRE))
		cache_op_complete_partly(op, status);
	else
		cache_op_complete(op, status);
}
