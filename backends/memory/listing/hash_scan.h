/* Listings in the order of the hash (cache_op.any_order). */
#ifndef STEADYCACHE_MEMORY_HASH_SCAN_H
#define STEADYCACHE_MEMORY_HASH_SCAN_H

#include "backends/memory/namespace.h"

/* SCAN: fills op->entries and op->complete. */
enum cache_status hash_scan(struct namespace *ns, struct cache_op *op, int64_t now_us);

#endif
