/* CLEAR: removes the entries with a prefix one by one, or all of them at once, perhaps with the
 * namespace. */
#ifndef STEADYCACHE_MEMORY_CLEAR_H
#define STEADYCACHE_MEMORY_CLEAR_H

#include "backends/memory/namespace.h"

/* What was taken out of a namespace, to be freed. */
struct cleared {
	struct cleared *next;
	struct table tables[SHARDS];
	struct entry *tombstones;
};

/* Removes the entries whose keys begin with `prefix`. Takes long if there are many (visit.h).
 * Whoever watches is told of a clear at the beginning, and of those that may have come since one by
 * one. */
void clear_prefix(struct namespace *ns, struct slice prefix, int64_t now_us);

/* Takes all entries out at once: the tables go to `cleared`, which the caller made, to be freed
 * without a lock. */
void clear_take(struct namespaces *all, struct namespace *ns, struct cleared *cleared);

/* The same, and the namespace does not exist any more. False: it did not, and `cleared` is as it
 * was. With ns->configure_lock held. */
bool clear_drop(struct namespaces *all, struct namespace *ns, struct cleared *cleared);

/* Frees what was taken out, and everything after it in `next`. NULL is allowed. Takes long. */
void clear_free(struct cleared *cleared);

#endif
