#include "backends/memory/mirror/mirror.h"

#include <stdlib.h>

#include "backends/memory/namespace.h"

_Static_assert(MIRROR_SHARDS == SHARDS, "");

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
	namespace_settings_of(ns, ret);
	(void)pthread_mutex_unlock(&ns->configure_lock);
	*ret_mask = mask & ~NAMESPACE_IS_NEW;
	return mask != 0;
}

void mirror_return_settings(struct namespace *ns, unsigned mask)
{
	(void)atomic_fetch_or(&ns->unsaved_settings, mask | NAMESPACE_IS_NEW);
	mirror_return_mark(ns);
}

bool mirror_take_clear(struct namespace *ns, bool *ret_drops)
{
	/* In this order: a drop in between is told now, and its clear once more. */
	bool is_cleared = atomic_exchange(&ns->is_cleared, false);

	*ret_drops = atomic_exchange(&ns->drops_copy, false);
	return is_cleared || *ret_drops;
}

void mirror_return_clear(struct namespace *ns, bool drops)
{
	if (drops)
		atomic_store(&ns->drops_copy, true);
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
	ret->is_retimed = entry_has(entry, ENTRY_RETIMED);
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
		if (!entry_has(entry, ENTRY_UNSAVED) && !entry_has(entry, ENTRY_QUEUED) &&
		    !entry_has(entry, ENTRY_RETIMED))
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

		if (!change->has_new_value && !change->is_retimed)
			continue;
		(void)pthread_mutex_lock(&shard->lock);
		struct entry *entry = table_find(&shard->table, change->hash, change->key);
		/* Otherwise it was replaced or removed since. */
		bool is_it = entry && entry_value(entry) == change->value;
		if (is_it && change->has_new_value && entry_has(entry, ENTRY_UNSAVED))
			noted_saved(&shard->changes, entry);
		if (is_it && change->value->expires_at_us == change->history.expires_at_us)
			entry_unmark(entry, ENTRY_RETIMED);
		(void)pthread_mutex_unlock(&shard->lock);
	}
}

void mirror_release(const struct mirror_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cache_value_release(changes[i].value);
}
