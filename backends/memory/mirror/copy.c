#include "backends/memory/mirror/copy.h"

#include "backends/memory/evict.h"
#include "backends/memory/namespace.h"
#include "backends/memory/spill.h"

/* A promotion of up to this part of all memory makes room for itself. */
#define PROMOTED_PART 64

const struct order_clock *mirror_clock(const struct namespaces *all)
{
	return &all->order_clock;
}

void mirror_restore_clock(struct namespaces *all, const struct order_clock_state *state)
{
	order_clock_restore(&all->order_clock, state);
}

struct namespace *mirror_adopt_namespace(struct namespaces *all,
					 const struct namespace_stats *stats)
{
	return namespace_adopt(all, stats);
}

static bool has_room(const struct namespaces *all, uint64_t bytes)
{
	uint64_t max = all->max_memory_bytes;

	return max == 0 ||
	       usage_fits(&all->total.memory_bytes, (int64_t)bytes, evict_memory_low_water(max));
}

/* An entry for the row; NULL: out of memory. */
static struct entry *make_entry(struct namespaces *all, const struct mirror_row *row)
{
	bool is_head = !row->bytes || !has_room(all, row->len_bytes);
	bool has_tail = is_head || row->expires_at_us != 0 || row->size_bytes != row->len_bytes;
	uint64_t len = is_head ? 0 : row->len_bytes;
	struct cache_value *value = cache_value_create_with_headroom(
		(size_t)len, row->type, entry_headroom(row->key.len, has_tail));

	if (!value)
		return NULL;
	if (len > 0)
		memcpy(cache_value_data(value), row->bytes, (size_t)len);
	cache_value_seal_known(value, &row->etag, row->flags);
	if (is_head)
		value->flags |= CACHE_VALUE_HEAD;
	value->modified_at_us = row->modified_at_us;
	value->expires_at_us = row->expires_at_us;
	struct entry *entry = entry_create(row->key, value, has_tail);
	cache_value_release(value);
	if (!entry)
		return NULL;
	if (is_head)
		entry_mark(entry, ENTRY_IS_HEAD);
	if (has_tail)
		entry_tail(entry)->size_bytes = row->size_bytes;
	return entry;
}

static void give_history(struct namespace *ns, struct entry *entry,
			 const struct cache_history *history)
{
	entry->order.frequency = history->frequency > 0 ? (uint32_t)history->frequency : 1;
	entry->order.last_access_us = history->last_access_us;
	entry->order.stamp = namespace_past_stamp(ns, history->created_at_us);
}

static bool is_removed(const struct noted *changes, struct slice key)
{
	const struct entry *removed = changes->removed;

	while (removed && !slice_equal(entry_key(removed), key))
		removed = entry_of_order(removed->order.next);
	return removed != NULL;
}

static bool is_known(const struct shard *shard, uint64_t hash, struct slice key)
{
	return table_find(&shard->table, hash, key) || is_removed(&shard->changes, key);
}

bool mirror_knows(struct namespace *ns, struct slice key)
{
	uint64_t hash = entry_hash(key);
	bool is_it;

	if (!ns)
		return true;
	struct shard *shard = namespace_shard(ns, hash);
	(void)pthread_mutex_lock(&shard->lock);
	is_it = is_known(shard, hash, key);
	(void)pthread_mutex_unlock(&shard->lock);
	return is_it;
}

/* The accounts have it already, as far as the copy's own are right. */
static void count_adopted(struct namespaces *all, struct namespace *ns, struct entry *entry)
{
	uint64_t used_bytes = entry_used_bytes(entry);
	uint64_t memory_bytes = entry_memory_bytes(entry);
	uint64_t counted = used_bytes < ns->unloaded_bytes ? used_bytes : ns->unloaded_bytes;

	ns->unloaded_bytes -= counted;
	(void)usage_add(&ns->usage.used_bytes, used_bytes - counted);
	if (ns->unloaded_entries > 0)
		ns->unloaded_entries--;
	else
		(void)usage_add(&ns->usage.entry_count, 1);
	(void)usage_add(&ns->usage.memory_bytes, memory_bytes);
	(void)usage_add(&all->total.memory_bytes, memory_bytes);
}

bool mirror_adopt(struct namespaces *all, struct namespace *ns, const struct mirror_row *row,
		  bool *ret_expires)
{
	uint64_t hash = entry_hash(row->key);
	struct shard *shard = namespace_shard(ns, hash);
	struct entry *entry = make_entry(all, row);
	bool has_memory = entry != NULL;

	*ret_expires = false;
	if (!entry)
		return false;
	give_history(ns, entry, &row->history);
	(void)pthread_mutex_lock(&shard->lock);
	if (!is_known(shard, hash, row->key)) {
		has_memory = shard_prepare(shard, 0, row->expires_at_us != 0) &&
			     table_reserve(&shard->table, hash, 1);
		if (has_memory) {
			count_adopted(all, ns, entry);
			*ret_expires = shard_adopt(shard, hash, entry);
			entry = NULL;
		}
	}
	(void)pthread_mutex_unlock(&shard->lock);
	entry_free_list(entry);
	return has_memory;
}

void mirror_end_load(struct namespaces *all)
{
	for (struct namespace *ns = mirror_first(all); ns; ns = ns->next) {
		usage_subtract(&ns->usage.used_bytes, ns->unloaded_bytes);
		usage_subtract(&ns->usage.entry_count, ns->unloaded_entries);
		ns->unloaded_bytes = 0;
		ns->unloaded_entries = 0;
	}
}

/* ---- Heads that get their bytes back ---- */

void mirror_spill(struct namespaces *all, uint64_t goal_bytes)
{
	(void)spill_some(all, goal_bytes);
}

/* Puts `fresh` into the place of the head, if that is still the entry. */
static bool exchange(struct namespaces *all, struct namespace *ns, struct slice key,
		     const struct cache_value *head, struct entry *fresh, struct entry **trash)
{
	uint64_t hash = entry_hash(key);
	struct shard *shard = namespace_shard(ns, hash);
	struct usage *total = &all->total;
	uint64_t max = all->max_memory_bytes ? all->max_memory_bytes : UINT64_MAX;
	bool exchanged = false;

	(void)pthread_mutex_lock(&shard->lock);
	struct entry *entry = table_find(&shard->table, hash, key);
	if (entry && entry_value(entry) == head) {
		int64_t growth =
			(int64_t)entry_memory_bytes(fresh) - (int64_t)entry_memory_bytes(entry);

		bool has_grown = growth <= 0 || usage_grow(&total->memory_bytes, growth, max);
		exchanged = has_grown && shard_exchange(shard, hash, entry, fresh, trash);
		if (has_grown && !exchanged && growth > 0)
			usage_subtract(&total->memory_bytes, (uint64_t)growth);
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return exchanged;
}

void mirror_promote(struct namespaces *all, struct namespace *ns, struct slice key,
		    const struct cache_value *head, struct cache_value *whole)
{
	const struct entry *old = (const struct entry *)(const void *)head - 1;
	uint64_t max = all->max_memory_bytes;
	uint64_t size_bytes = entry_tail((struct entry *)(uintptr_t)old)->size_bytes;
	bool has_tail = head->expires_at_us != 0 || size_bytes != whole->len_bytes;
	struct entry *trash = NULL;

	if (!has_room(all, whole->len_bytes)) {
		if (whole->len_bytes > max / PROMOTED_PART)
			return;
		(void)spill_some(all, rules_leave_room(evict_memory_low_water(max),
						       (int64_t)whole->len_bytes));
	}
	struct entry *fresh = entry_create(key, whole, has_tail);
	if (!fresh)
		return;
	if (has_tail)
		entry_tail(fresh)->size_bytes = size_bytes;
	if (!exchange(all, ns, key, head, fresh, &trash))
		entry_free_list(fresh);
	entry_free_list(trash);
}
