/* Eviction across shards.
 *
 * Each shard knows its own next victim (order.h), so the victim of the namespace is the best of
 * sixteen candidates, and after it is removed only its shard is asked again. To be exact, this
 * needs all shards to stand still together, so an eviction holds all their locks; to limit the
 * delay for readers, it does so for EVICT_STEP victims at a time. The byte limit evicts a fifth of
 * a full namespace at once, so few sets need this. */
#include "backends/memory/evict.h"

#include "base/invariant.h"

uint64_t evict_memory_low_water(uint64_t max_bytes)
{
	return max_bytes - max_bytes / 64;
}

bool evict_goal_met(const struct namespace *ns, const struct evict_goal *goal)
{
	return usage_read(&ns->usage.used_bytes) <= goal->used_bytes &&
	       usage_read(&ns->usage.entry_count) <= goal->entry_count &&
	       usage_read(&ns->shards[0].total->memory_bytes) <= goal->total_memory_bytes;
}

/* The shard whose candidate goes first; SHARDS if no shard has one. */
static unsigned first_of(struct order_node *const candidates[SHARDS], enum eviction_policy policy,
			 int64_t order_us)
{
	unsigned first = SHARDS;

	for (unsigned i = 0; i < SHARDS; i++)
		if (candidates[i] &&
		    (first == SHARDS ||
		     order_precedes(policy, candidates[i], candidates[first], order_us)))
			first = i;
	return first;
}

size_t evict_step(struct namespace *ns, const struct evict_goal *goal, int64_t order_us, size_t max,
		  struct entry **trash)
{
	enum eviction_policy policy = namespace_policy(ns);
	struct order_node *candidates[SHARDS];
	size_t removed = 0;

	if (policy == EVICT_NONE || evict_goal_met(ns, goal))
		return removed;
	for (unsigned i = 0; i < SHARDS; i++)
		candidates[i] = order_candidate(&ns->shards[i].order, order_us);
	while (removed < max && !evict_goal_met(ns, goal)) {
		unsigned index = first_of(candidates, policy, order_us);

		if (index == SHARDS)
			break;
		struct shard *shard = &ns->shards[index];
		INVARIANT(!candidates[index]->pinned);
		struct entry *victim = entry_of_order(candidates[index]);
		shard_tell(shard, CHANGE_EVICT, entry_key(victim));
		shard_remove(shard, victim, trash);
		shard->counters.evictions++;
		candidates[index] = order_candidate(&shard->order, order_us);
		removed++;
	}
	return removed;
}

static struct namespace *largest(struct namespaces *all, const struct namespace *spared)
{
	struct namespace *ns = atomic_load_explicit(&all->first, memory_order_acquire);
	struct namespace *found = NULL;
	uint64_t found_bytes = 0;

	for (; ns; ns = ns->next) {
		uint64_t bytes = usage_read(&ns->usage.memory_bytes);

		if (ns != spared && bytes > found_bytes && namespace_policy(ns) != EVICT_NONE) {
			found = ns;
			found_bytes = bytes;
		}
	}
	return found;
}

size_t evict_elsewhere(struct namespaces *all, const struct namespace *spared,
		       uint64_t memory_goal_bytes, int64_t now_us)
{
	struct evict_goal goal = {
		.used_bytes = UINT64_MAX,
		.entry_count = UINT64_MAX,
		.total_memory_bytes = memory_goal_bytes,
	};
	int64_t order_us = order_clock_at(&all->order_clock, now_us);
	struct namespace *ns;
	size_t removed = 0;

	/* Again if somebody else emptied it in between, which ends when all are empty. */
	while (removed == 0 && (ns = largest(all, spared))) {
		struct entry *trash = NULL;

		namespace_lock(ns, ALL_SHARDS);
		removed = namespace_expire(ns, now_us, EVICT_STEP, &trash);
		if (removed < EVICT_STEP)
			removed += evict_step(ns, &goal, order_us, EVICT_STEP, &trash);
		bool met = evict_goal_met(ns, &goal);
		namespace_unlock(ns, ALL_SHARDS);
		entry_free_list(trash);
		if (met)
			return removed > 0 ? removed : 1;
	}
	return removed;
}
