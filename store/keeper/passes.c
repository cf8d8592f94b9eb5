#include "store/keeper/passes.h"

#include <stdlib.h>

#include "store/keeper/outcome.h"
#include "store/keeper/room.h"
#include "store/keeper/settings.h"
#include "store/rules.h"
#include "store/tell.h"

/* Most entries of a step, and of an op that is done at once. */
#define STEP_ENTRIES   512
#define INLINE_ENTRIES 4096

static int64_t now_of(const struct keeper *keeper)
{
	return cache_clock_now_us(keeper->config.clock);
}

bool keeper_passes_is_long(struct keeper *keeper, const struct cache_op *op)
{
	(void)pthread_rwlock_rdlock(&keeper->gate);
	const struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	bool is_long = space && space->index.count > INLINE_ENTRIES;
	(void)pthread_rwlock_unlock(&keeper->gate);
	return is_long;
}

/* ---- Clear ---- */

/* Where a step ends and the next one begins. */
struct cursor {
	struct slice key; /* malloc'ed */
	bool is_set, ends;
};

/* Removes some entries from the cursor on, and moves it. */
static enum cache_status clear_some(struct keeper *keeper, const struct cache_op *op,
				    struct cursor *cursor)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	struct keeper_entry *entry =
		space ? keeper_index_from(&space->index, cursor->is_set ? cursor->key : op->prefix)
		      : NULL;
	size_t count = 0;

	while (entry && count < STEP_ENTRIES &&
	       slice_starts_with(keeper_entry_key(entry), op->prefix)) {
		struct keeper_entry *next = entry->next[0];

		if (!keeper_changes_remove(&keeper->changes, space, entry,
					   &space->counters.deletes))
			return CACHE_NO_MEMORY;
		entry = next;
		count++;
	}
	cursor->ends = count < STEP_ENTRIES || !entry;
	if (cursor->ends)
		return CACHE_OK;
	struct slice key = keeper_entry_key(entry);
	char *copy = malloc(key.len + 1);
	if (!copy)
		return CACHE_NO_MEMORY;
	memcpy(copy, key.data, key.len);
	free((void *)(uintptr_t)cursor->key.data);
	*cursor = (struct cursor){.key = {copy, key.len}, .is_set = true};
	return CACHE_OK;
}

/* Ends a step: commits, or undoes it if memory ran out. */
static enum cache_status end_step(struct keeper *keeper, enum cache_status status)
{
	if (status != CACHE_OK) {
		keeper_changes_undo(keeper, 0);
		return status;
	}
	return keeper_changes_commit(keeper);
}

/* What was stored that long before a clear began may have been told of after it: a set reads the
 * clock before it waits for the gate. */
#define TOLD_AFTER_US (10 * US_PER_S)

enum cache_status keeper_passes_clear(struct keeper *keeper, const struct cache_op *op)
{
	int64_t recent_us = now_of(keeper) - TOLD_AFTER_US;
	struct cursor cursor = {0};
	enum cache_status status;
	bool is_told = false;

	do {
		(void)pthread_rwlock_wrlock(&keeper->gate);
		/* The clear, and after it what came between its steps. */
		keeper->changes.told_since_us = is_told ? recent_us : INT64_MAX;
		status = end_step(keeper, clear_some(keeper, op, &cursor));
		keeper->changes.told_since_us = 0;
		if (status == CACHE_OK && !is_told)
			tell_change(&keeper->config, CHANGE_CLEAR, op->ns, op->prefix);
		else if (status != CACHE_OK && is_told)
			tell_change(&keeper->config, CHANGE_MISSED, op->ns, (struct slice){0});
		is_told = true;
		(void)pthread_rwlock_unlock(&keeper->gate);
	} while (status == CACHE_OK && !cursor.ends);
	free((void *)(uintptr_t)cursor.key.data);
	return status;
}

static enum cache_status drop_all(struct keeper *keeper, struct keeper_space *space)
{
	struct keeper_entry *entry;

	while ((entry = space->index.first[0]))
		if (!keeper_changes_remove(&keeper->changes, space, entry,
					   &space->counters.deletes))
			return CACHE_NO_MEMORY;
	return keeper_changes_drop_space(keeper, space) ? CACHE_OK : CACHE_NO_MEMORY;
}

enum cache_status keeper_passes_drop(struct keeper *keeper, const struct cache_op *op)
{
	enum cache_status status = CACHE_NOT_FOUND;

	(void)pthread_rwlock_wrlock(&keeper->gate);
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	if (space) {
		keeper->changes.told_since_us = INT64_MAX;
		status = end_step(keeper, drop_all(keeper, space));
		keeper->changes.told_since_us = 0;
		if (status == CACHE_OK)
			tell_change(&keeper->config, CHANGE_CLEAR, op->ns, (struct slice){0});
	}
	(void)pthread_rwlock_unlock(&keeper->gate);
	return status;
}

/* ---- Configure ---- */

/* Evicts for the current limits; for the byte limit down to 80 %, as a set does. */
static enum cache_status shrink_some(struct keeper *keeper, struct slice name, size_t *ret_removed)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, name);
	int64_t now_us = now_of(keeper);
	struct keeper_goal goal = {.used_bytes = UINT64_MAX};
	enum cache_status status = CACHE_OK;

	*ret_removed = 0;
	if (!space) /* dropped since */
		return CACHE_OK;
	status = keeper_room_expire(keeper, space, now_us, STEP_ENTRIES, ret_removed);
	if (status != CACHE_OK || *ret_removed == STEP_ENTRIES)
		return status;
	goal.entry_count = keeper_room_max_entries(space);
	if (space->used_bytes > keeper_room_max_bytes(space))
		goal.used_bytes = rules_low_water(keeper_room_max_bytes(space));
	return keeper_room_evict(keeper, space, &goal, order_clock_at(&keeper->order_clock, now_us),
				 STEP_ENTRIES, ret_removed);
}

enum cache_status keeper_passes_configure(struct keeper *keeper, const struct cache_op *op)
{
	size_t removed = STEP_ENTRIES;

	(void)pthread_rwlock_wrlock(&keeper->gate);
	enum cache_status status = end_step(keeper, keeper_settings_change(keeper, op));
	(void)pthread_rwlock_unlock(&keeper->gate);
	while (status == CACHE_OK && removed == STEP_ENTRIES) {
		(void)pthread_rwlock_wrlock(&keeper->gate);
		status = end_step(keeper, shrink_some(keeper, op->ns, &removed));
		(void)pthread_rwlock_unlock(&keeper->gate);
	}
	return status;
}

/* ---- Sweep ---- */

static enum cache_status sweep_some(struct keeper *keeper, size_t *ret_removed)
{
	struct keeper_space *space = NULL;
	int64_t now_us = now_of(keeper);
	enum cache_status status = CACHE_OK;
	size_t removed;

	*ret_removed = 0;
	while (status == CACHE_OK && *ret_removed < STEP_ENTRIES &&
	       (space = keeper_space_next(&keeper->spaces, space))) {
		status = keeper_room_expire(keeper, space, now_us, STEP_ENTRIES - *ret_removed,
					    &removed);
		*ret_removed += status == CACHE_OK ? removed : 0;
	}
	return status;
}

/* Between commits, because undoing relies on the room. */
static void trim(const struct keeper *keeper)
{
	struct keeper_space *space = NULL;

	while ((space = keeper_space_next(&keeper->spaces, space))) {
		expiry_trim(&space->expiry);
		expiry_trim(&space->idle);
	}
}

/* ---- Uses ---- */

static enum cache_status tell_some(struct keeper *keeper, size_t *ret_told)
{
	struct keeper_space *space = NULL;
	size_t told = 0;

	while ((space = keeper_space_next(&keeper->spaces, space)))
		for (; told < STEP_ENTRIES && space->used; told++)
			if (!keeper_changes_tell_use(&keeper->changes, space, space->used))
				return CACHE_NO_MEMORY;
	*ret_told = told;
	return CACHE_OK;
}

enum cache_status keeper_passes_tell_uses(struct keeper *keeper)
{
	enum cache_status status = CACHE_OK;
	size_t told = keeper->ops->can & DRIVER_PERSISTS ? STEP_ENTRIES : 0;

	while (status == CACHE_OK && told == STEP_ENTRIES) {
		(void)pthread_rwlock_wrlock(&keeper->gate);
		status = end_step(keeper, tell_some(keeper, &told));
		(void)pthread_rwlock_unlock(&keeper->gate);
	}
	return status;
}

enum cache_status keeper_passes_sync(struct keeper *keeper)
{
	enum cache_status status = keeper_passes_tell_uses(keeper);

	if (status != CACHE_OK || !keeper->ops->sync)
		return status;
	/* Gets continue; an apply, which takes the gate for writing, waits. */
	(void)pthread_rwlock_rdlock(&keeper->gate);
	enum driver_status synced = keeper->ops->sync(keeper->driver);
	(void)pthread_rwlock_unlock(&keeper->gate);
	/* NOT_FOUND is not a valid answer to a sync. */
	return synced == DRIVER_NOT_FOUND ? CACHE_INTERNAL : keeper_outcome(keeper, synced);
}

/* ---- Both ---- */

bool keeper_passes_tidy(struct keeper *keeper)
{
	bool persists = keeper->ops->can & DRIVER_PERSISTS;
	size_t removed;
	size_t told = 0;

	(void)pthread_rwlock_wrlock(&keeper->gate);
	enum cache_status status = end_step(keeper, sweep_some(keeper, &removed));
	if (removed > 0)
		trim(keeper);
	if (status == CACHE_OK && persists)
		status = end_step(keeper, tell_some(keeper, &told));
	(void)pthread_rwlock_unlock(&keeper->gate);
	return status == CACHE_OK && (removed == STEP_ENTRIES || told == STEP_ENTRIES);
}
