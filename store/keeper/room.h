/* Brings a namespace down to its limits: expired entries go first, then the victims of the policy,
 * in exactly its order. With the gate held for writing. */
#ifndef STEADYCACHE_KEEPER_ROOM_H
#define STEADYCACHE_KEEPER_ROOM_H

#include "store/keeper/keeper_state.h"

/* What to reach; UINT64_MAX: no limit. */
struct keeper_goal {
	uint64_t used_bytes, entry_count;
};

/* The limits of a namespace, UINT64_MAX if there is none. */
uint64_t keeper_room_max_bytes(const struct keeper_space *space);
uint64_t keeper_room_max_entries(const struct keeper_space *space);

/* Removes entries past their stale time, the earliest first, and those that were not used for too
 * long. Looks at up to `max` that may be: *ret_removed; with less than `max` there are no others.
 * CACHE_OK or CACHE_NO_MEMORY. */
enum cache_status keeper_room_expire(struct keeper *keeper, struct keeper_space *space,
				     int64_t now_us, size_t max, size_t *ret_removed);

/* Evicts until `goal` is met, at most `max` entries: *ret_removed of them. Pinned ones stay, and
 * all do under EVICT_NONE. CACHE_OK, even if the goal is not met, or CACHE_NO_MEMORY. */
enum cache_status keeper_room_evict(struct keeper *keeper, struct keeper_space *space,
				    const struct keeper_goal *goal, int64_t order_us, size_t max,
				    size_t *ret_removed);

#endif
