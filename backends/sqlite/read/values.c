#include "backends/sqlite/read/values.h"

/* A value may take at most this part of a shard, so that one does not displace all others. */
#define LARGEST_PART 8

void values_init(struct values *values, uint64_t max_bytes)
{
	size_t shard_max_bytes = (size_t)(max_bytes / VALUES_SHARDS);

	*values = (struct values){.shard_max_bytes = shard_max_bytes};
	for (size_t i = 0; i < VALUES_SHARDS; i++) {
		(void)pthread_mutex_init(&values->shards[i].lock, NULL);
		value_cache_init(&values->shards[i].cache, shard_max_bytes,
				 shard_max_bytes / LARGEST_PART);
	}
}

/* Ids of namespaces count up; hashes of keys are random already. */
static uint64_t place_of(int64_t namespace_id, int64_t hash)
{
	return (uint64_t)hash + (uint64_t)namespace_id * UINT64_C(0x9E3779B97F4A7C15);
}

/* *namespace_id is borrowed. */
static struct value_cache_key key_of(const int64_t *namespace_id, int64_t hash, struct slice key)
{
	return (struct value_cache_key){
		.place = place_of(*namespace_id, hash),
		.scope = {.data = (const char *)namespace_id, .len = sizeof(*namespace_id)},
		.key = key,
	};
}

static struct values_shard *shard_of(struct values *values, const struct value_cache_key *key)
{
	return &values->shards[key->place >> 60];
}

/* ---- One shard; its lock is held ---- */

static void empty_shard(struct values_shard *shard)
{
	shard->drops += shard->cache.entry_count > 0;
	value_cache_clear(&shard->cache);
}

/* A cached entry gets its new value at once and keeps its place; one that is not cached stays out
 * until somebody reads it. If two keys share a hash the other one is forgotten too, and read again.
 * Nothing is done for an entry of another shard. */
static void apply_change(struct values *values, struct values_shard *shard,
			 const struct values_change *change)
{
	struct value_cache_key key = key_of(&change->namespace_id, change->hash, change->key);
	struct value_cache_entry *entry = NULL;

	if (shard_of(values, &key) != shard)
		return;
	if (change->value)
		entry = value_cache_find(&shard->cache, &key);
	if (!entry || !value_cache_replace(&shard->cache, entry, change->value, change->id))
		value_cache_forget(&shard->cache, key.place, key.scope);
}

/* ---- All ---- */

void values_deinit(struct values *values)
{
	for (size_t i = 0; i < VALUES_SHARDS; i++) {
		empty_shard(&values->shards[i]);
		(void)pthread_mutex_destroy(&values->shards[i].lock);
	}
}

struct cache_value *values_find(struct values *values, const struct wal_state *state,
				int64_t namespace_id, int64_t hash, struct slice key,
				int64_t *ret_id)
{
	struct value_cache_key place = key_of(&namespace_id, hash, key);
	struct values_shard *shard = shard_of(values, &place);
	struct value_cache_entry *entry = NULL;
	struct cache_value *value = NULL;

	(void)pthread_mutex_lock(&shard->lock);
	if (wal_state_equal(&shard->state, state))
		entry = value_cache_find(&shard->cache, &place);
	if (entry) {
		value_cache_spare(entry);
		*ret_id = entry->mark;
		value = cache_value_acquire(entry->value);
		shard->hits++;
	} else {
		shard->misses++;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return value;
}

/* Whether the shard, outdated by commits of others, may be emptied and continue with `state`. The
 * header is read before the flag: if it shows a commit of ours, the flag was set earlier. */
static bool may_restart(struct values *values, const struct wal_state *state,
			const volatile uint64_t *index)
{
	struct wal_state newest;

	wal_index_read(index, &newest);
	return wal_state_equal(&newest, state) && !atomic_load(&values->writer_works);
}

void values_insert(struct values *values, const struct wal_state *state,
		   const volatile uint64_t *index, const struct values_change *entry)
{
	struct value_cache_key key = key_of(&entry->namespace_id, entry->hash, entry->key);
	struct values_shard *shard = shard_of(values, &key);

	(void)pthread_mutex_lock(&shard->lock);
	if (!wal_state_equal(&shard->state, state) && may_restart(values, state, index)) {
		empty_shard(shard);
		shard->state = *state;
	}
	if (wal_state_equal(&shard->state, state) && !value_cache_find(&shard->cache, &key))
		(void)value_cache_add(&shard->cache, &key, entry->value, entry->id);
	(void)pthread_mutex_unlock(&shard->lock);
}

void values_move(struct values *values, const struct wal_state *before,
		 const struct wal_state *after, const struct values_change *changes, size_t count)
{
	if (before && wal_state_equal(before, after))
		return; /* nothing was written */
	for (size_t i = 0; i < VALUES_SHARDS; i++) {
		struct values_shard *shard = &values->shards[i];

		(void)pthread_mutex_lock(&shard->lock);
		/* In the new state already: a reader has brought it there, empty. */
		if (!before || !wal_state_equal(&shard->state, after)) {
			if (!before || !wal_state_equal(&shard->state, before))
				empty_shard(shard);
			for (size_t k = 0; shard->cache.entry_count > 0 && k < count; k++)
				apply_change(values, shard, &changes[k]);
			shard->state = *after;
		}
		(void)pthread_mutex_unlock(&shard->lock);
	}
}

void values_count(struct values *values, struct values_counts *ret)
{
	*ret = (struct values_counts){.max_bytes = values->shard_max_bytes * VALUES_SHARDS};
	for (size_t i = 0; i < VALUES_SHARDS; i++) {
		struct values_shard *shard = &values->shards[i];

		(void)pthread_mutex_lock(&shard->lock);
		ret->hits += shard->hits;
		ret->misses += shard->misses;
		ret->evictions += shard->cache.evictions;
		ret->drops += shard->drops;
		ret->entries += shard->cache.entry_count;
		ret->used_bytes += shard->cache.used_bytes;
		(void)pthread_mutex_unlock(&shard->lock);
	}
}
