/* EXPIRE: gives entries another time to live, in the place where they are. */
#ifndef STEADYCACHE_MEMORY_EXPIRE_H
#define STEADYCACHE_MEMORY_EXPIRE_H

#include "backends/memory/namespace.h"

/* Does all items of the op, or none; fills them. CACHE_OK, or what is wrong with the op;
 * *ret_wakes: this is the first entry of the backend with a TTL (worker_wake). The caller completes
 * the op. */
enum cache_status expire_items(struct namespace *ns, struct cache_op *op, int64_t now_us,
			       bool *ret_wakes);

#endif
