/* The wrapper, as its files share it. A pass is one operation on its way through it: it stands
 * between the op and its caller (done, user) and remembers what the near cache has to be told
 * afterwards.
 *
 *   tiered.c        passes; wrapping, statistics and gauges
 *   tiered_read.c   get and exists
 *   tiered_write.c  set, delete, clear and configure
 *
 * Private to these files. Any thread: a pass belongs to the one that has the op. */
#ifndef STEADYCACHE_TIERED_TIERED_STATE_H
#define STEADYCACHE_TIERED_TIERED_STATE_H

#include <stdatomic.h>

#include "backends/tiered/near.h"
#include "backends/tiered/near_hits.h"
#include "backends/tiered/tiered.h"

struct tiered {
	struct backend backend; /* first: the contract hands this out */
	struct backend_ops ops; /* what `inner` supports, by way of here */
	struct backend *inner;
	struct near *near;
	struct near_hits hits;
	struct tiered_config config;
	const struct cache_clock *clock;
	/* Writes of several items that have begun or ended, and that are under way. */
	_Atomic uint64_t batch_version;
	atomic_uint batch_writers;
};

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

static inline struct tiered *tiered_of(struct backend *backend)
{
	return (struct tiered *)backend;
}

/* ---- tiered.c ---- */

/* With room for `count` items; begun now. To be closed, or freed. NULL: out of memory. */
struct pass *pass_open(struct tiered *tiered, struct cache_op *op, size_t count);
/* Hands the caller's op itself to the inner backend; `done` is called when that is done with it. */
void pass_forward(struct pass *pass, void (*done)(struct cache_op *op));
/* Gives the op, as it is, back to its caller, and frees the pass. */
void pass_close(struct pass *pass);

/* ---- tiered_read.c, tiered_write.c: operations of backend_ops ---- */

void tiered_get(struct backend *backend, struct cache_op *op);
void tiered_exists(struct backend *backend, struct cache_op *op);
/* SET and DELETE. */
void tiered_write(struct backend *backend, struct cache_op *op);
/* CLEAR; and CONFIGURE, which may evict. */
void tiered_clear(struct backend *backend, struct cache_op *op);

#endif
