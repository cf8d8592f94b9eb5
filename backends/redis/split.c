#include "backends/redis/split.h"

#include "backends/redis/scatter_all.h"
#include "backends/redis/scatter_items.h"
#include "backends/redis/scatter_list.h"
#include "backends/redis/scatter_stats.h"
#include "backends/redis/slot.h"
#include "backends/redis/state.h"
#include "backends/remote/backend.h"

void redis_split_submit(struct backend *backend, struct cache_op *op)
{
	/* Of the state only what open set. */
	const struct redis_state *state = remote_backend_user(backend);
	unsigned part_count = state->spaces.part_count;

	switch (op->type) {
	case CACHE_OP_GET:
	case CACHE_OP_SET:
	case CACHE_OP_DELETE:
	case CACHE_OP_EXISTS:
	case CACHE_OP_EXPIRE:
	case CACHE_OP_LEASE_TAKE:
	case CACHE_OP_LEASE_END:
		redis_scatter_items(backend, op, part_count);
		return;
	case CACHE_OP_CLEAR:
		if (op->drop)
			redis_scatter_drop(backend, op, part_count);
		else
			redis_scatter_clear(backend, op, part_count);
		return;
	case CACHE_OP_SCAN:
		redis_scatter_list(backend, op, part_count);
		return;
	case CACHE_OP_STATS:
		redis_scatter_stats(backend, op, part_count);
		return;
	case CACHE_OP_CONFIGURE:
		redis_scatter_configure(backend, op, &state->refusals);
		return;
	case CACHE_OP_CHECK:
		redis_scatter_check(backend, op, part_count);
		return;
	case CACHE_OP_SYNC: /* ends as redis_scatter_sync */
	case CACHE_OP_TYPES:
		break;
	}
	remote_backend_submit(backend, op);
}
