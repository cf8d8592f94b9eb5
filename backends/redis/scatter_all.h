/* Operations on all partitions of a namespace, or of all. */
#ifndef STEADYCACHE_REDIS_SCATTER_ALL_H
#define STEADYCACHE_REDIS_SCATTER_ALL_H

#include "backends/redis/refusal.h"
#include "backends/redis/space.h"

/* Submits a CLEAR. If it fails, some partitions may be cleared. */
void redis_scatter_clear(struct backend *backend, struct cache_op *op, unsigned part_count);

/* Submits a CLEAR with `drop`. If it fails, some partitions may be gone, but not the name. */
void redis_scatter_drop(struct backend *backend, struct cache_op *op, unsigned part_count);

/* Submits a CONFIGURE: each partition gets its share of the limits. If it fails, some partitions
 * may have the new settings. */
void redis_scatter_configure(struct backend *backend, struct cache_op *op,
			     const struct redis_refusals *refusals);

/* Submits a CHECK: all masters are asked. If some do not answer the check is ok all the same, as
 * the others' partitions can be used, and its detail says so. */
void redis_scatter_check(struct backend *backend, struct cache_op *op, unsigned part_count);

/* Completes a SYNC once all partitions have been told what this server has to tell. I/O thread. */
void redis_scatter_sync(struct backend *backend, struct cache_op *op,
			const struct redis_spaces *spaces);

#endif
