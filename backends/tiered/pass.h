/* A pass: one operation on its way through the wrapper. It replaces the op's caller (done, user)
 * and remembers what to tell the near cache afterwards.
 *
 * Any thread: a pass belongs to the thread that has the op. */
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

/* Opens a pass with room for `count` items, beginning now. Close it, or free it. NULL: out of
 * memory. */
struct pass *pass_open(struct tiered *tiered, struct cache_op *op, size_t count);
/* Hands the caller's op itself to the inner backend, which calls `done` when it has completed. */
void pass_forward(struct pass *pass, void (*done)(struct cache_op *op));
/* Returns the op, as it is, to its caller, and frees the pass. */
void pass_close(struct pass *pass);

#endif
