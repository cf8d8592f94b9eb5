#include "backends/memory/mirror.h"

#include <stdlib.h>

#include "backends/memory/evict.h"
#include "backends/memory/namespace.h"
#include "backends/memory/spill.h"
#include "base/invariant.h"

_Static_assert(MIRROR_SHARDS == SHARDS, "");

/* A promotion of up to this part of all memory makes room for itself. */
#define PROMOTED_PART 64

/* ---- Namespaces ---- */

struct namespace *mirror_first(const struct namespaces *all)
{
	return atomic_load_explicit(&all->first, memory_order_acquire);
}

struct namespace *mirror_next(const struct namespace *ns)
{
	return ns->next;
}

struct namespace *mirror_find(struct namespaces *all, struct slice name)
{
	return namespace_find(all, name);
}

struct slice mirror_name(const struct namespace *ns)
{
	return slice_of(ns->name);
}

bool mirror_has_mark(const struct namespace *ns)
{
	return atomic_load_explicit(&ns->has_changes, memory_order_relaxed);
}

bool mirror_take_mark(struct namespace *ns)
{
	return mirror_has_mark(ns) && atomic_exchange(&ns->has_changes, false);
}

void mirror_return_mark(struct namespace *ns)
{
	atomic_store(&ns->has_changes, true);
}

bool mirror_take_settings(struct namespace *ns, struct namespace_settings *ret, unsigned *ret_mask)
{
	unsigned mask;

	(void)pthread_mutex_lock(&ns->configure_lock);
	mask = atomic_exchange(&ns->unsaved_settings, 0);
	*ret = (struct namespace_settings){
		.max_size_bytes = atomic_load(&ns->max_size_bytes),
		.capacity = atomic_load(&ns->capacity),
		.default_ttl_s = atomic_load(&ns->default_ttl_s),
		.policy = namespace_policy(ns),
		.stale_ttl_s = atomic_load(&ns->stale_ttl_s),
	};
	(void)pthread_mutex_unlock(&ns->configure_lock);
	*ret_mask = mask & ~NAMESPACE_IS_NEW;
	return mask != 0;
}

void mirror_return_settings(struct namespace *ns, unsigned mask)
{
	(void)atomic_fetch_or(&ns->unsaved_settings, mask | NAMESPACE_IS_NEW);
	mirror_return_mark(ns);
}

bool mirror_take_clear(struct namespace *ns)
{
	return atomic_exchange(&ns->is_cleared, false);
}

void mirror_return_clear(struct namespace *ns)
{
	atomic_store(&ns->is_cleared, true);
	mirror_return_mark(ns);
}

void mirror_figures(const struct namespaces *all, struct mirror_figures *ret)
{
	*ret = (struct mirror_figures){.memory_bytes = usage_read(&all->total.memory_bytes)};
	for (const struct namespace *ns = mirror_first(all); ns; ns = ns->next) {
		ret->unsaved_entries += atomic_load(&ns->is_cleared);
		for (unsigned i = 0; i < SHARDS; i++) {
			const struct noted *changes = &ns->shards[i].changes;

			ret->unsaved_entries += usage_read(&changes->unsaved_entries) +
						usage_read(&changes->removed_entries);
			ret->unsaved_bytes += usage_read(&changes->unsaved_bytes) +
					      usage_read(&changes->removed_bytes);
			ret->head_entries += usage_read(&changes->head_entries);
			ret->head_bytes += usage_read(&changes->head_bytes);
		}
	}
}

/* ---- Removed keys ---- */

struct entry *mirror_take_removed(struct namespace *ns, unsigned shard)
{
	/* Not without the lock, even to see that there are none: who has the lock may have seen the
	 * mark as it was before it was taken (noted.c). */
	(void)pthread_mutex_lock(&ns->shards[shard].lock);
	struct entry *removed = noted_take_removed(&ns->shards[shard].changes);
	(void)pthread_mutex_unlock(&ns->shards[shard].lock);
	return removed;
}

void mirror_return_removed(struct namespace *ns, unsigned shard, struct entry *removed)
{
	(void)pthread_mutex_lock(&ns->shards[shard].lock);
	noted_return_removed(&ns->shards[shard].changes, removed);
	(void)pthread_mutex_unlock(&ns->shards[shard].lock);
	mirror_return_mark(ns);
}

struct entry *mirror_after(const struct entry *removed)
{
	return entry_of_order(removed->order.next);
}

struct slice mirror_key(const struct entry *removed)
{
	return entry_key(removed);
}

bool mirror_is_removed(struct namespace *ns, unsigned shard, const struct entry *removed)
{
	struct slice key = entry_key(removed);

	(void)pthread_mutex_lock(&ns->shards[shard].lock);
	struct entry *entry = table_find(&ns->shards[shard].table, entry_hash(key), key);
	/* Its removal must remove what the copy still has of the former one. */
	if (entry)
		entry_mark(entry, ENTRY_IN_COPY);
	(void)pthread_mutex_unlock(&ns->shards[shard].lock);
	return !entry;
}

struct entry *mirror_free(struct entry *removed, size_t count)
{
	for (; removed && count > 0; count--) {
		struct entry *next = mirror_after(removed);

		removed->order.next = NULL;
		entry_free_list(removed);
		removed = next;
	}
	return removed;
}

/* ---- Changed entries ---- */

static int compare_stamps(const void *a, const void *b)
{
	uint64_t left = ((const struct noted_key *)a)->stamp;
	uint64_t right = ((const struct noted_key *)b)->stamp;

	return left < right ? -1 : left > right;
}

/* Takes up to counts[i] of the keys of each shard. Returns how many. */
static size_t take_keys(struct namespace *ns, const size_t counts[static SHARDS],
			struct noted_key *ret)
{
	size_t taken = 0;

	for (unsigned i = 0; i < SHARDS; i++) {
		if (counts[i] == 0)
			continue;
		(void)pthread_mutex_lock(&ns->shards[i].lock);
		if (!atomic_load(&ns->is_cleared))
			taken += noted_take_keys(&ns->shards[i].changes, ret + taken, counts[i]);
		(void)pthread_mutex_unlock(&ns->shards[i].lock);
	}
	return taken;
}

uint64_t *mirror_take_hashes(struct namespace *ns, size_t *ret_count)
{
	size_t counts[SHARDS];
	size_t total = 0;

	for (unsigned i = 0; i < SHARDS; i++) {
		(void)pthread_mutex_lock(&ns->shards[i].lock);
		counts[i] = ns->shards[i].changes.count;
		(void)pthread_mutex_unlock(&ns->shards[i].lock);
		total += counts[i];
	}
	*ret_count = total;
	if (total == 0)
		return NULL;
	struct noted_key *keys = malloc(total * sizeof(*keys));
	uint64_t *hashes = malloc(total * sizeof(*hashes));
	if (!keys || !hashes) {
		free(keys);
		free(hashes);
		return NULL;
	}
	*ret_count = take_keys(ns, counts, keys);
	qsort(keys, *ret_count, sizeof(*keys), compare_stamps);
	for (size_t i = 0; i < *ret_count; i++)
		hashes[i] = keys[i].hash;
	free(keys);
	if (*ret_count > 0)
		return hashes;
	free(hashes);
	return NULL;
}

static void describe(struct entry *entry, struct mirror_change *ret)
{
	struct cache_value *value = entry_value(entry);

	ret->key = entry_key(entry);
	ret->value = cache_value_acquire(value);
	ret->size_bytes = entry_size_bytes(entry);
	ret->has_new_value = entry_has(entry, ENTRY_UNSAVED);
	ret->history = (struct cache_history){
		.frequency = entry->order.frequency,
		.created_at_us = entry_created_at_us(entry),
		.last_access_us = entry->order.last_access_us,
		.expires_at_us = value->expires_at_us,
	};
}

/* What is to be filled. */
struct collection {
	struct mirror_change *changes;
	size_t count, max;
	uint64_t bytes, max_bytes;
};

static bool is_full(const struct collection *collection)
{
	return collection->count == collection->max || collection->bytes >= collection->max_bytes;
}

/* Those of one hash, which are nearly always one. A hash of which not all fit stays. */
static bool collect_hash(struct shard *shard, uint64_t hash, struct collection *collection)
{
	struct entry *entry = NULL;

	while ((entry = table_find_by_hash(&shard->table, hash, entry))) {
		if (!entry_has(entry, ENTRY_UNSAVED) && !entry_has(entry, ENTRY_QUEUED))
			continue;
		if (is_full(collection))
			return false;
		struct mirror_change *change = &collection->changes[collection->count++];

		change->hash = hash;
		describe(entry, change);
		if (change->has_new_value)
			collection->bytes += change->value->len_bytes;
		entry_unmark(entry, ENTRY_QUEUED);
		entry_mark(entry, ENTRY_IN_COPY);
	}
	return true;
}

size_t mirror_collect(struct namespace *ns, const uint64_t *hashes, size_t count,
		      struct mirror_change *ret, size_t max, uint64_t max_bytes,
		      size_t *ret_looked_up)
{
	struct collection collection = {.changes = ret, .max = max, .max_bytes = max_bytes};
	bool is_cleared = false;
	bool goes_on = true;
	size_t at = 0;

	while (at < count && goes_on && !is_cleared) {
		struct shard *shard = namespace_shard(ns, hashes[at]);

		(void)pthread_mutex_lock(&shard->lock);
		is_cleared = atomic_load(&ns->is_cleared);
		if (!is_cleared)
			goes_on = collect_hash(shard, hashes[at], &collection);
		(void)pthread_mutex_unlock(&shard->lock);
		at += goes_on && !is_cleared;
	}
	*ret_looked_up = at;
	if (!is_cleared)
		return collection.count;
	mirror_release(ret, collection.count);
	return SIZE_MAX;
}

void mirror_saved(struct namespace *ns, const struct mirror_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct mirror_change *change = &changes[i];
		struct shard *shard = namespace_shard(ns, change->hash);

		if (!change->has_new_value)
			continue;
		(void)pthread_mutex_lock(&shard->lock);
		struct entry *entry = table_find(&shard->table, change->hash, change->key);
		/* Otherwise it was replaced or removed since. */
		if (entry && entry_value(entry) == change->value && entry_has(entry, ENTRY_UNSAVED))
			noted_saved(&shard->changes, entry);
		(void)pthread_mutex_unlock(&shard->lock);
	}
}

void mirror_release(const struct mirror_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cache_value_release(changes[i].value);
}

/* ---- What the copy has ---- */

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

		exchanged = growth <= 0 || usage_grow(&total->memory_bytes, growth, max);
		if (exchanged)
			shard_exchange(shard, hash, entry, fresh, trash);
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
	entry_value(fresh)->modified_at_us = head->modified_at_us;
	entry_value(fresh)->expires_at_us = head->expires_at_us;
	if (has_tail)
		entry_tail(fresh)->size_bytes = size_bytes;
	if (!exchange(all, ns, key, head, fresh, &trash))
		entry_free_list(fresh);
	entry_free_list(trash);
}
