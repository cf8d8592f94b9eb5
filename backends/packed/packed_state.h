/* The layer, as the files of this folder share it. */
#ifndef STEADYCACHE_PACKED_PACKED_STATE_H
#define STEADYCACHE_PACKED_PACKED_STATE_H

#include "backends/packed/packed.h"
#include "backends/packed/spaces.h"
#include "base/pool.h"

struct packed_counts {
	/* Values that are kept compressed, their bytes before and after; and values that did not
	 * become shorter. */
	atomic_ullong values, bytes, kept_bytes, left;
};

struct packed {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_ops ops; /* what `inner` supports, through this layer */
	struct backend *inner;
	uint64_t whole_max_bytes; /* longer values become objects elsewhere; 0: none do */
	struct spaces spaces;
	struct packed_counts counts;
	struct packed_work *work;
};

static inline struct packed *packed_of(struct backend *backend)
{
	return (struct packed *)backend;
}

/* Puts a function of the layer in the place of the op's `done`, with the layer as its user. */
static inline void packed_intercept(struct packed *packed, struct cache_op *op,
				    void (*done)(struct cache_op *op))
{
	op->outer_done = op->done;
	op->outer_user = op->user;
	op->done = done;
	op->user = packed;
}

/* Undoes it, at the start of that function; returns the layer. */
static inline struct packed *packed_return(struct cache_op *op)
{
	struct packed *packed = op->user;

	op->done = op->outer_done;
	op->user = op->outer_user;
	return packed;
}

#endif
