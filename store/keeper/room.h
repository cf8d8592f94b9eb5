/* How a namespace comes down to its limits: what has expired goes first, then the victims of the
 * policy, in exactly its order. With the gate held for writing. */
#ifndef STEADYCACHE_KEEPER_ROOM_H
#define STEADYCACHE_KEEPER_ROOM_H

#include "store/keeper/keeper_state.h"

/* What is to be reached; UINT64_MAX: whatever there is. */
struct keeper_goal {
	uint64_t used_bytes, entry_count;
};

/* The limits of a namespace, UINT64_MAX where there is none. */
uint64_t keeper_room_max_bytes(const struct keeper_space *space);
uint64_t keeper_room_max_entries(const struct keeper_space *space);

/* Removes entries past their stale time, the first ones first, at most `max`: *ret_removed of them.
 * CACHE_OK or CACHE_NO_MEMORY. */
enum cache_status keeper_room_expire(struct keeper *keeper, struct keeper_space *space,
				     int64_t now_us, size_t max, size_t *ret_removed);

/* Evicts until `goal` is met, at most `max` entries: *ret_removed of them. Pinned ones stay, and
 * under EVICT_NONE all do. CACHE_OK, also if the goal is not met, or CACHE_NO_MEMORY. */
enum cache_status keeper_room_evict(struct keeper *keeper, struct keeper_space *space,
				    const struct keeper_goal *goal, int64_t order_us, size_t max,
				    size_t *ret_removed);

#endif
