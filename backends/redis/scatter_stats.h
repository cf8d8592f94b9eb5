/* Statistics of namespaces of several partitions. */
#ifndef STEADYCACHE_REDIS_SCATTER_STATS_H
#define STEADYCACHE_REDIS_SCATTER_STATS_H

#include "store/backend.h"

/* Submits a STATS, of a namespace or of all. */
void redis_scatter_stats(struct backend *backend, struct cache_op *op, unsigned part_count);

/* Adds the statistics of a partition to those of its namespace, of `count` partitions added before:
 * limits and what they count are summed; what this server counts (hits, misses, sets, deletes) is
 * the same in all. */
void redis_scatter_add_stats(struct namespace_stats *sum, const struct namespace_stats *part,
			     unsigned count);

#endif
