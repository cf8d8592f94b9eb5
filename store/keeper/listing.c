#include "store/keeper/listing.h"

#include <stdlib.h>

#include "base/array.h"
#include "store/keeper/room.h"
#include "store/keeper/settings.h"
#include "store/rules.h"

/* ---- Listings ---- */

static bool add_info(const struct keeper *keeper, struct cache_op *op, size_t *capacity,
		     const struct keeper_entry *entry, int64_t now_us)
{
	const struct order_clock *clock = &keeper->order_clock;
	struct slice key = keeper_entry_key(entry);
	struct cache_entry_info *entries =
		array_with_room(op->entries, op->entry_count, capacity, sizeof(*entries));
	char *copy = malloc(key.len ? key.len : 1);

	if (entries)
		op->entries = entries;
	if (!entries || !copy) {
		free(copy);
		return false;
	}
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	entries[op->entry_count++] = (struct cache_entry_info){
		.key = {copy, key.len},
		.size_bytes = entry->size_bytes,
		.etag = entry->etag,
		.frequency = entry->node.frequency,
		.last_access_us = order_clock_to_wall(clock, entry->node.last_access_us, now_us),
		.created_at_us = order_clock_to_wall(
			clock, (int64_t)(entry->node.stamp >> KEEPER_STAMP_TICK_BITS), now_us),
		.expires_at_us = entry->expires_at_us,
		.modified_at_us = entry->modified_at_us,
		.flags = entry->flags & CACHE_VALUE_STORED,
	};
	return true;
}

/* Where the page begins. */
static struct keeper_entry *first_of(const struct keeper_space *space, const struct cache_op *op)
{
	bool is_further = op->has_after && slice_compare(op->after, op->prefix) >= 0;
	struct keeper_entry *entry =
		keeper_index_from(&space->index, is_further ? op->after : op->prefix);

	if (is_further && entry && slice_equal(keeper_entry_key(entry), op->after))
		entry = entry->next[0];
	return entry;
}

static enum cache_status list(struct keeper *keeper, struct keeper_space *space,
			      struct cache_op *op, int64_t now_us)
{
	struct keeper_entry *entry = first_of(space, op);
	int64_t order_us = order_clock_at(&keeper->order_clock, now_us);
	size_t capacity = 0;
	size_t key_bytes = 0;

	for (; entry && slice_starts_with(keeper_entry_key(entry), op->prefix);
	     entry = entry->next[0]) {
		if (!keeper_entry_is_live(entry, now_us) ||
		    keeper_space_is_idle(space, entry, order_us))
			continue;
		op->complete = op->entry_count < op->limit &&
			       (op->max_key_bytes == 0 || key_bytes < op->max_key_bytes);
		if (!op->complete)
			break;
		if (!add_info(keeper, op, &capacity, entry, now_us))
			return CACHE_NO_MEMORY;
		key_bytes += entry->key_len;
	}
	return CACHE_OK;
}

enum cache_status keeper_listing_scan(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);
	enum cache_status status = CACHE_OK;

	op->complete = true;
	if (!space)
		return status;
	/* Uses may change while entries are listed. */
	(void)pthread_mutex_lock(&space->lock);
	status = list(keeper, space, op, now_us);
	(void)pthread_mutex_unlock(&space->lock);
	return status;
}

/* ---- Statistics ---- */

/* Most expired entries that statistics remove from a namespace. The sweep removes them all, only
 * later. */
#define STATS_EXPIRE_MAX 256

static void tell(struct keeper *keeper, struct keeper_space *space, int64_t now_us,
		 struct namespace_stats *ret)
{
	const struct keeper_counters *counters = &space->counters;
	size_t removed;

	(void)keeper_room_expire(keeper, space, now_us, STATS_EXPIRE_MAX, &removed);
	(void)keeper_changes_commit(keeper); /* otherwise they still exist, and are counted */
	*ret = (struct namespace_stats){
		.settings = space->settings,
		.entry_count = space->index.count,
		.total_size_bytes = space->size_bytes,
		.used_bytes = space->used_bytes,
		.max_frequency = order_max_frequency(&space->order),
		.hits = counters->hits,
		.misses = counters->misses,
		.sets = counters->sets,
		.deletes = counters->deletes,
		.evictions = counters->evictions,
		.expirations = counters->expirations,
		.stale_hits = counters->stale_hits,
	};
	memcpy(ret->name, space->name, sizeof(ret->name));
	if (ret->entry_count > 0)
		ret->avg_frequency = (double)space->order.frequency_sum / (double)ret->entry_count;
}

static void tell_all(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	struct keeper_space *space = NULL;

	while ((space = keeper_space_next(&keeper->spaces, space)))
		tell(keeper, space, now_us, &op->stats[op->stats_count++]);
	rules_sort_stats(op);
}

static void tell_one(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	struct keeper_space *space = keeper_space_find(&keeper->spaces, op->ns);

	op->stats_count = 1;
	if (space) {
		tell(keeper, space, now_us, op->stats);
		return;
	}
	memcpy(op->stats->name, op->ns.data, op->ns.len);
	keeper_settings_default(keeper, op->ns, &op->stats->settings);
}

enum cache_status keeper_listing_stats(struct keeper *keeper, struct cache_op *op, int64_t now_us)
{
	size_t count = op->ns.len > 0 ? 1 : keeper->spaces.count;

	op->stats = calloc(count + 1, sizeof(*op->stats));
	if (!op->stats)
		return CACHE_NO_MEMORY;
	if (op->ns.len > 0)
		tell_one(keeper, op, now_us);
	else
		tell_all(keeper, op, now_us);
	return CACHE_OK;
}
