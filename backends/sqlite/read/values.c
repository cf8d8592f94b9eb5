#include "backends/sqlite/read/values.h"

#include <stdlib.h>

#define BUCKETS_MIN 64
/* A value may take this part of a shard at most, so that one does not drive out all others. */
#define LARGEST_PART 8
/* What malloc takes beside each block. */
#define BLOCK_BYTES 16

struct values_entry {
	struct values_entry *next; /* in the bucket */
	struct values_entry *newer, *older;
	int64_t namespace_id, hash, id;
	struct cache_value *value;
	uint32_t key_len;
	bool was_hit;
	char key[];
};

void values_init(struct values *values, uint64_t max_bytes)
{
	*values = (struct values){.shard_max_bytes = (size_t)(max_bytes / VALUES_SHARDS)};
	for (size_t i = 0; i < VALUES_SHARDS; i++)
		(void)pthread_mutex_init(&values->shards[i].lock, NULL);
}

/* Ids of namespaces count up; hashes of keys are random already. */
static uint64_t place_of(int64_t namespace_id, int64_t hash)
{
	return (uint64_t)hash + (uint64_t)namespace_id * UINT64_C(0x9E3779B97F4A7C15);
}

static struct values_shard *shard_of(struct values *values, int64_t namespace_id, int64_t hash)
{
	return &values->shards[place_of(namespace_id, hash) >> 60];
}

static struct values_entry **bucket_of(const struct values_shard *shard, int64_t namespace_id,
				       int64_t hash)
{
	return &shard->buckets[place_of(namespace_id, hash) & (shard->bucket_count - 1)];
}

static size_t cost_of(size_t key_len, const struct cache_value *value)
{
	return sizeof(struct values_entry) + key_len + cache_value_memory_bytes(value) +
	       2 * (size_t)BLOCK_BYTES + sizeof(struct values_entry *);
}

/* ---- One shard; its lock is held ---- */

static void remove_entry(struct values_shard *shard, struct values_entry *entry)
{
	struct values_entry **link = bucket_of(shard, entry->namespace_id, entry->hash);

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	if (shard->hand == entry)
		shard->hand = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	if (shard->newest == entry)
		shard->newest = entry->older;
	if (shard->oldest == entry)
		shard->oldest = entry->newer;
	shard->entry_count--;
	shard->used_bytes -= cost_of(entry->key_len, entry->value);
	cache_value_release(entry->value);
	free(entry);
}

static void empty_shard(struct values_shard *shard)
{
	shard->drops += shard->entry_count > 0;
	while (shard->oldest) {
		struct values_entry *entry = shard->oldest;

		shard->oldest = entry->newer;
		cache_value_release(entry->value);
		free(entry);
	}
	free(shard->buckets);
	shard->buckets = NULL;
	shard->bucket_count = 0;
	shard->newest = NULL;
	shard->hand = NULL;
	shard->entry_count = 0;
	shard->used_bytes = 0;
}

static void evict_one(struct values_shard *shard)
{
	struct values_entry *victim = shard->hand ? shard->hand : shard->oldest;

	while (victim->was_hit) {
		victim->was_hit = false;
		victim = victim->newer ? victim->newer : shard->oldest;
	}
	shard->hand = victim;
	shard->evictions++;
	remove_entry(shard, victim);
}

static struct values_entry *find_entry(const struct values_shard *shard, int64_t namespace_id,
				       int64_t hash, struct slice key)
{
	struct values_entry *entry = shard->buckets ? *bucket_of(shard, namespace_id, hash) : NULL;

	while (entry && (entry->hash != hash || entry->namespace_id != namespace_id ||
			 entry->key_len != key.len ||
			 (key.len > 0 && memcmp(entry->key, key.data, key.len) != 0)))
		entry = entry->next;
	return entry;
}

static bool grow(struct values_shard *shard)
{
	struct values_shard larger = {
		.bucket_count = shard->bucket_count ? shard->bucket_count * 2 : BUCKETS_MIN,
	};

	larger.buckets = calloc(larger.bucket_count, sizeof(struct values_entry *));
	if (!larger.buckets)
		return shard->buckets != NULL; /* longer chains, then */
	for (struct values_entry *entry = shard->oldest; entry; entry = entry->newer) {
		struct values_entry **bucket = bucket_of(&larger, entry->namespace_id, entry->hash);

		entry->next = *bucket;
		*bucket = entry;
	}
	free(shard->buckets);
	shard->buckets = larger.buckets;
	shard->bucket_count = larger.bucket_count;
	return true;
}

static void add_entry(struct values_shard *shard, size_t max_bytes,
		      const struct values_change *change)
{
	size_t cost = cost_of(change->key.len, change->value);

	if (cost > max_bytes / LARGEST_PART || change->key.len > UINT32_MAX)
		return;
	while (shard->oldest && shard->used_bytes + cost > max_bytes)
		evict_one(shard);
	if (shard->entry_count >= shard->bucket_count && !grow(shard))
		return;
	struct values_entry *entry = malloc(sizeof(*entry) + change->key.len);
	if (!entry)
		return;
	*entry = (struct values_entry){
		.older = shard->newest,
		.namespace_id = change->namespace_id,
		.hash = change->hash,
		.id = change->id,
		.value = cache_value_acquire(change->value),
		.key_len = (uint32_t)change->key.len,
	};
	if (change->key.len > 0)
		memcpy(entry->key, change->key.data, change->key.len);
	struct values_entry **bucket = bucket_of(shard, entry->namespace_id, entry->hash);
	entry->next = *bucket;
	*bucket = entry;
	if (shard->newest)
		shard->newest->newer = entry;
	else
		shard->oldest = entry;
	shard->newest = entry;
	shard->entry_count++;
	shard->used_bytes += cost;
}

/* All entries of that hash: where two keys share one, the other is read again. */
static void forget(struct values_shard *shard, int64_t namespace_id, int64_t hash)
{
	struct values_entry *entry = shard->buckets ? *bucket_of(shard, namespace_id, hash) : NULL;

	while (entry) {
		struct values_entry *next = entry->next;

		if (entry->hash == hash && entry->namespace_id == namespace_id)
			remove_entry(shard, entry);
		entry = next;
	}
}

/* An entry that is cached gets its new value at once and keeps its place; one that is not stays out
 * until somebody reads it. */
static void apply_change(struct values_shard *shard, size_t max_bytes,
			 const struct values_change *change)
{
	struct values_entry *entry = NULL;

	if (change->value)
		entry = find_entry(shard, change->namespace_id, change->hash, change->key);
	if (!entry || cost_of(entry->key_len, change->value) > max_bytes / LARGEST_PART) {
		forget(shard, change->namespace_id, change->hash);
		return;
	}
	shard->used_bytes += cost_of(entry->key_len, change->value);
	shard->used_bytes -= cost_of(entry->key_len, entry->value);
	cache_value_release(entry->value);
	entry->value = cache_value_acquire(change->value);
	entry->id = change->id;
	while (shard->oldest && shard->used_bytes > max_bytes)
		evict_one(shard);
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
	struct values_shard *shard = shard_of(values, namespace_id, hash);
	struct values_entry *entry = NULL;
	struct cache_value *value = NULL;

	(void)pthread_mutex_lock(&shard->lock);
	if (wal_state_equal(&shard->state, state))
		entry = find_entry(shard, namespace_id, hash, key);
	if (entry) {
		entry->was_hit = true;
		*ret_id = entry->id;
		value = cache_value_acquire(entry->value);
		shard->hits++;
	} else {
		shard->misses++;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return value;
}

/* Whether the shard, left behind by commits of others, may be emptied and go on with `state`. The
 * header is read before the flag: of a commit of ours that it shows, the flag was set earlier. */
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
	struct values_shard *shard = shard_of(values, entry->namespace_id, entry->hash);

	(void)pthread_mutex_lock(&shard->lock);
	if (!wal_state_equal(&shard->state, state) && may_restart(values, state, index)) {
		empty_shard(shard);
		shard->state = *state;
	}
	if (wal_state_equal(&shard->state, state) &&
	    !find_entry(shard, entry->namespace_id, entry->hash, entry->key))
		add_entry(shard, values->shard_max_bytes, entry);
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
			for (size_t k = 0; shard->entry_count > 0 && k < count; k++)
				if (shard_of(values, changes[k].namespace_id, changes[k].hash) ==
				    shard)
					apply_change(shard, values->shard_max_bytes, &changes[k]);
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
		ret->evictions += shard->evictions;
		ret->drops += shard->drops;
		ret->entries += shard->entry_count;
		ret->used_bytes += shard->used_bytes;
		(void)pthread_mutex_unlock(&shard->lock);
	}
}
