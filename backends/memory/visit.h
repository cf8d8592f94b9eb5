/* Operations whose work grows with the number of entries. They hold a shard's lock for a bounded
 * step at a time, so others hardly wait; but they take long, so on a namespace of more than
 * PASS_INLINE_ENTRIES_MAX entries they run on the worker and not on an event loop's thread. */
#ifndef STEADYCACHE_MEMORY_PASSES_H
#define STEADYCACHE_MEMORY_PASSES_H

#include "backends/memory/namespace.h"

#define PASS_INLINE_ENTRIES_MAX 1000

/* Looks at one entry, which it may remove; the shard is locked. False ends the pass. */
typedef bool visit_fn(void *context, struct shard *shard, struct entry *entry,
		      struct entry **trash);

struct visitor {
	visit_fn *visit;
	void (*between)(void *context); /* with no lock held, after each step; may be NULL */
	void *context;
};

/* Visits all entries; one that stays exactly once. False: the visitor ended the pass. */
bool pass_visit(struct namespace *ns, const struct visitor *visitor);

/* CLEAR with a prefix (or without: one entry after the other). */
void pass_clear(struct namespace *ns, struct slice prefix);

/* CONFIGURE: sets what the mask names, threads the orders anew, evicts what no longer fits. */
void pass_configure(struct namespace *ns, const struct cache_op *op, int64_t now_us);

#endif
