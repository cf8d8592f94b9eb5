/* Listings of namespaces of several partitions. */
#ifndef STEADYCACHE_REDIS_SCATTER_LIST_H
#define STEADYCACHE_REDIS_SCATTER_LIST_H

#include "store/backend.h"

/* Submits a SCAN. */
void redis_scatter_list(struct backend *backend, struct cache_op *op, unsigned part_count);

#endif
