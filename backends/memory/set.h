/* The SET of one item or of a batch. */
#ifndef STEADYCACHE_MEMORY_SET_H
#define STEADYCACHE_MEMORY_SET_H

#include "backends/memory/namespace.h"

struct set_outcome {
	bool wakes;   /* this is the first entry of the backend with a TTL (worker_wake) */
	bool is_gone; /* nothing is done: the namespace was dropped meanwhile */
	bool waits;   /* nothing is done yet: the mirror must make it possible (mirror.h: park) */
};

/* Stores all items of the op in `ns`, or none; fills the items and op->detail. The caller completes
 * the op, unless it waits. */
enum cache_status set_items(struct namespaces *all, struct namespace *ns, struct cache_op *op,
			    int64_t now_us, struct set_outcome *ret);

#endif
