/* A pass: one operation on its way through the wrapper. It stands between the op and its caller
 * (done, user) and remembers what the near cache has to be told afterwards.
 *
 * Any thread: a pass belongs to the one that has the op. */
#ifndef STEADYCACHE_TIERED_PASS_H
#define STEADYCACHE_TIERED_PASS_H

#include "backends/tiered/tiered_state.h"

struct pass_item {
	struct near_key key;
	struct near_note note;
};

struct pass {
	struct tiered *tiered;
	struct cache_op *op;
	void (*done)(struct cache_op *op); /* the caller's */
	void *user;
	int64_t began_us;
	size_t count;
	struct pass_item items[];
};

/* With room for `count` items; begun now. To be closed, or freed. NULL: out of memory. */
struct pass *pass_open(struct tiered *tiered, struct cache_op *op, size_t count);
/* Hands the caller's op itself to the inner backend; `done` is called when that is done with it. */
void pass_forward(struct pass *pass, void (*done)(struct cache_op *op));
/* Gives the op, as it is, back to its caller, and frees the pass. */
void pass_close(struct pass *pass);

#endif
