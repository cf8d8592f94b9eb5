/* The SET of one item or of a batch. */
#ifndef STEADYCACHE_MEMORY_SET_H
#define STEADYCACHE_MEMORY_SET_H

#include "backends/memory/namespace.h"

/* Stores all items of the op in `ns`, or none; fills the items and op->detail. *ret_wake: this is
 * the first entry of the backend with a TTL (worker_wake). The caller completes the op. */
enum cache_status set_items(struct namespaces *all, struct namespace *ns, struct cache_op *op,
			    int64_t now_us, bool *ret_wake);

#endif
