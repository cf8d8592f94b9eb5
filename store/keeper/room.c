#include "store/keeper/room.h"

uint64_t keeper_room_max_bytes(const struct keeper_space *space)
{
	return space->settings.max_size_bytes ? space->settings.max_size_bytes : UINT64_MAX;
}

uint64_t keeper_room_max_entries(const struct keeper_space *space)
{
	return space->settings.capacity >= 0 ? (uint64_t)space->settings.capacity : UINT64_MAX;
}

enum cache_status keeper_room_expire(struct keeper *keeper, struct keeper_space *space,
				     int64_t now_us, size_t max, size_t *ret_removed)
{
	struct keeper_entry *entry;
	size_t removed = 0;

	for (; removed < max && (entry = keeper_space_due(space, now_us)); removed++)
		if (!keeper_changes_remove(&keeper->changes, space, entry,
					   &space->counters.expirations))
			return CACHE_NO_MEMORY;
	int64_t order_us = order_clock_at(&keeper->order_clock, now_us);
	for (; removed < max && keeper_space_look_idle(space, order_us, &entry); removed++)
		if (entry && !keeper_changes_remove(&keeper->changes, space, entry,
						    &space->counters.expirations))
			return CACHE_NO_MEMORY;
	*ret_removed = removed;
	return CACHE_OK;
}

static bool is_met(const struct keeper_space *space, const struct keeper_goal *goal)
{
	return space->used_bytes <= goal->used_bytes && space->index.count <= goal->entry_count;
}

enum cache_status keeper_room_evict(struct keeper *keeper, struct keeper_space *space,
				    const struct keeper_goal *goal, int64_t order_us, size_t max,
				    size_t *ret_removed)
{
	struct keeper_entry *entry = NULL;
	size_t removed = 0;

	while (space->settings.policy != EVICT_NONE && removed < max && !is_met(space, goal) &&
	       (entry = keeper_entry_of(order_candidate(&space->order, order_us)))) {
		if (!keeper_changes_remove(&keeper->changes, space, entry,
					   &space->counters.evictions))
			return CACHE_NO_MEMORY;
		removed++;
	}
	*ret_removed = removed;
	return CACHE_OK;
}
