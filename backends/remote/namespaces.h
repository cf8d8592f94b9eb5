/* Hits, misses and similar counters of each namespace, which the upstream does not know since it
 * serves many fronts. I/O thread. */
#ifndef STEADYCACHE_REMOTE_NAMESPACES_H
#define STEADYCACHE_REMOTE_NAMESPACES_H

#include "store/backend.h"

#define NAMESPACES_BUCKETS 256

struct remote_ns_counters {
	struct remote_ns_counters *next;
	char name[NAMESPACE_MAX_LEN + 1];
	uint64_t hits, misses, stale_hits, sets, deletes, evictions, expirations;
};

/* A zeroed one has counted nothing. */
struct remote_namespaces {
	unsigned max; /* 0: no limit */
	size_t count;
	struct remote_ns_counters *buckets[NAMESPACES_BUCKETS];
	struct remote_ns_counters overflow; /* of the namespaces beyond the limit; never shown */
};

void remote_namespaces_deinit(struct remote_namespaces *namespaces);

/* The counters of a namespace, which is counted from now on; never NULL. */
struct remote_ns_counters *remote_namespaces_find(struct remote_namespaces *namespaces,
						  struct slice name);
/* The namespace after `ns` (NULL: the first) of those that are counted; NULL: no more. */
const struct remote_ns_counters *remote_namespaces_next(const struct remote_namespaces *namespaces,
							const struct remote_ns_counters *ns);
/* Forgets the counters of a namespace that is gone. */
void remote_namespaces_forget(struct remote_namespaces *namespaces, struct slice name);
/* Adds the hits, misses, sets and deletes of `op` according to the statuses of `items`. */
void remote_namespaces_count(struct remote_namespaces *namespaces, const struct cache_op *op,
			     const struct cache_item *items);
/* Copies the counters of stats->name to `stats`. */
void remote_namespaces_fill(struct remote_namespaces *namespaces, struct namespace_stats *stats);

/* Only the upstream knows what it removed by itself, for example in a sweep: its numbers count if
 * they are larger. */
void remote_namespaces_raise(struct namespace_stats *stats, uint64_t evictions,
			     uint64_t expirations);

#endif
