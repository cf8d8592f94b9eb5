/* A visit of all entries of a namespace. It holds a shard's lock for a bounded step at a time, so
 * others hardly wait; but it takes long, so operations that visit a namespace of more than
 * VISIT_INLINE_ENTRIES_MAX entries run on the worker and not on an event loop's thread. */
#ifndef STEADYCACHE_MEMORY_VISIT_H
#define STEADYCACHE_MEMORY_VISIT_H

#include "backends/memory/namespace.h"

#define VISIT_INLINE_ENTRIES_MAX 1000

/* Called for one entry, which it may remove; the shard is locked. False ends the visit. */
typedef bool visit_fn(void *context, struct shard *shard, struct entry *entry,
		      struct entry **trash);

struct visitor {
	visit_fn *visit;
	void (*between)(void *context); /* with no lock held, after each step; may be NULL */
	void *context;
};

/* Visits all entries; one that stays exactly once. False: the visitor ended it. */
bool visit_entries(struct namespace *ns, const struct visitor *visitor);

#endif
