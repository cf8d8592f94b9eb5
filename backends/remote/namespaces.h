/* Hits, misses and the like of each namespace, which the upstream does not know since it serves
 * many fronts. I/O thread. */
#ifndef STEADYCACHE_REMOTE_NAMESPACES_H
#define STEADYCACHE_REMOTE_NAMESPACES_H

#include "store/backend.h"

#define NAMESPACES_BUCKETS 256

struct remote_ns_counters {
	struct remote_ns_counters *next;
	char name[NAMESPACE_MAX_LEN + 1];
	uint64_t hits, misses, stale_hits, sets, deletes, evictions, expirations;
};

/* Zeroed, it counts nothing yet. */
struct remote_namespaces {
	unsigned max; /* 0: no limit */
	size_t count;
	struct remote_ns_counters *buckets[NAMESPACES_BUCKETS];
	struct remote_ns_counters overflow; /* of the namespaces beyond the limit; told to nobody */
};

void remote_namespaces_deinit(struct remote_namespaces *namespaces);

/* The counters of a namespace, which is counted from now on; never NULL. */
struct remote_ns_counters *remote_namespaces_find(struct remote_namespaces *namespaces,
						  struct slice name);
/* The one after `ns` (NULL: the first) of all that are counted; NULL: no more. */
const struct remote_ns_counters *remote_namespaces_next(const struct remote_namespaces *namespaces,
							const struct remote_ns_counters *ns);
/* Adds what the statuses of `items` say of hits, misses, sets and deletes of `op`. */
void remote_namespaces_count(struct remote_namespaces *namespaces, const struct cache_op *op,
			     const struct cache_item *items);
/* Puts the counters of stats->name into `stats`. */
void remote_namespaces_fill(struct remote_namespaces *namespaces, struct namespace_stats *stats);

/* What went without our doing, such as the sweep of what expired, only the upstream knows: its
 * numbers count if they are larger. */
void remote_namespaces_raise(struct namespace_stats *stats, uint64_t evictions,
			     uint64_t expirations);

#endif
