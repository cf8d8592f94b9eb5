/* Making room: evicts victims in the exact order of the policy, over all shards of a namespace. */
#ifndef STEADYCACHE_MEMORY_EVICT_H
#define STEADYCACHE_MEMORY_EVICT_H

#include "backends/memory/namespace.h"

/* Victims of one step, after which the locks are released: about a tenth of a millisecond. */
#define EVICT_STEP 512

/* The usage to reach; UINT64_MAX: any. */
struct evict_goal {
	uint64_t used_bytes, entry_count;
	uint64_t total_memory_bytes; /* of the backend */
};

/* What an eviction for the memory limit goes down to: slightly below it, so that not every set on a
 * full server has to look for victims. */
uint64_t evict_memory_low_water(uint64_t max_bytes);

bool evict_goal_met(const struct namespace *ns, const struct evict_goal *goal);

/* One step towards the goal: evicts at most `max` victims, none of them pinned, and none at all if
 * the policy is "none"; returns how many. All shards of `ns` must be locked, and namespace_expire
 * called before, because expired entries make room before anything that lives. */
size_t evict_step(struct namespace *ns, const struct evict_goal *goal, int64_t order_us, size_t max,
		  struct entry **trash);

/* One step in the namespace that uses the most memory of those that may evict, except `spared`.
 * Returns how many entries were evicted; 0: none is left. Call it with no lock held. */
size_t evict_elsewhere(struct namespaces *all, const struct namespace *spared,
		       uint64_t memory_goal_bytes, int64_t now_us);

#endif
