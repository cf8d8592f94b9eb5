/* Making room: victims in the exact order of the policy, over all shards of a namespace. */
#ifndef STEADYCACHE_MEMORY_EVICT_H
#define STEADYCACHE_MEMORY_EVICT_H

#include "backends/memory/namespace.h"

/* Victims of one step, after which the locks are let go: about a tenth of a millisecond. */
#define EVICT_STEP 512

/* Usage down to which entries go; UINT64_MAX asks for nothing. */
struct evict_goal {
	uint64_t used_bytes, entry_count;
	uint64_t total_memory_bytes; /* of the backend */
};

/* What an eviction for the memory limit goes down to: a little below it, so that not every set on
 * a full server has to look for victims. */
uint64_t evict_memory_low_water(uint64_t max_bytes);

bool evict_goal_met(const struct namespace *ns, const struct evict_goal *goal);

/* One step towards the goal: at most `max` victims, none of them pinned, and none at all where the
 * policy is "none"; how many went. With all shards of `ns` locked, and after namespace_expire, for
 * what has expired makes room before anything that lives. */
size_t evict_step(struct namespace *ns, const struct evict_goal *goal, int64_t order_us, size_t max,
		  struct entry **trash);

/* One step in the namespace that uses the most memory of those that may evict, `spared` not among
 * them. How many entries went; 0: there are none. With no lock held. */
size_t evict_elsewhere(struct namespaces *all, const struct namespace *spared,
		       uint64_t memory_goal_bytes, int64_t now_us);

#endif
