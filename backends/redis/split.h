/* The operations of a backend over a Redis Cluster: each goes to the partitions that it touches. */
#ifndef STEADYCACHE_REDIS_SPLIT_H
#define STEADYCACHE_REDIS_SPLIT_H

#include "store/backend.h"

/* backend_ops.get, set and all others that are given an op. */
void redis_split_submit(struct backend *backend, struct cache_op *op);

#endif
