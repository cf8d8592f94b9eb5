/* An operation on several partitions, as one operation for each ("children"): all are under way at
 * once, and what they brought is put together when the last one is done. A child is an operation
 * like any other: it shares requests with those of the same partition, and is retried alone.
 *
 * Any thread; `finish` runs on the one that completes the last child. */
#ifndef STEADYCACHE_REDIS_SCATTER_H
#define STEADYCACHE_REDIS_SCATTER_H

#include <stdatomic.h>

#include "store/backend.h"

struct redis_scatter {
	struct backend *backend;
	struct cache_op *op; /* that is split */
	void (*finish)(struct redis_scatter *scatter);
	void *more; /* malloc'ed; what `finish` needs */
	size_t count;
	atomic_size_t left; /* not done yet */
	struct cache_op children[];
};

/* With room for `capacity` children and `more_bytes` zeroed bytes. NULL: out of memory, and the
 * operation has failed with that. */
struct redis_scatter *redis_scatter_create(struct backend *backend, struct cache_op *op,
					   size_t capacity, size_t more_bytes,
					   void (*finish)(struct redis_scatter *scatter));

/* Appends a child of the type, namespace and trace of the operation, for partition `index`. */
struct cache_op *redis_scatter_add(struct redis_scatter *scatter, unsigned index);

/* Submits the children; `scatter` may be gone afterwards. There is at least one. */
void redis_scatter_send(struct redis_scatter *scatter);

/* Releases what the children own, and forgets them: others may be added and sent. */
void redis_scatter_reset(struct redis_scatter *scatter);

/* The first child that failed; NULL: none did. */
const struct cache_op *redis_scatter_failed(const struct redis_scatter *scatter);

/* Frees all and completes the operation: with `status`, or as `failed` failed if that is not NULL.
 */
void redis_scatter_end(struct redis_scatter *scatter, enum cache_status status,
		       const struct cache_op *failed);

#endif
