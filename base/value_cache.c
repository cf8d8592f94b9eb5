#include "base/value_cache.h"

#include <stdlib.h>

#include "base/invariant.h"

#define BUCKETS_MIN 64
/* What malloc takes for each block besides its bytes. */
#define BLOCK_BYTES 16

void value_cache_init(struct value_cache *cache, size_t max_bytes, size_t entry_max_bytes)
{
	*cache = (struct value_cache){.max_bytes = max_bytes, .entry_max_bytes = entry_max_bytes};
}

static struct value_cache_entry **bucket_of(const struct value_cache *cache, uint64_t place)
{
	return &cache->buckets[place & (cache->bucket_count - 1)];
}

/* Names, value, both blocks and the entry's pointer in its bucket. */
static size_t cost_of(size_t names_len, const struct cache_value *value)
{
	return sizeof(struct value_cache_entry) + names_len + cache_value_memory_bytes(value) +
	       2 * (size_t)BLOCK_BYTES + sizeof(struct value_cache_entry *);
}

static size_t entry_cost(const struct value_cache_entry *entry)
{
	return cost_of((size_t)entry->scope_len + entry->key_len, entry->value);
}

/* ---- The queue ---- */

static void link_newest(struct value_cache *cache, struct value_cache_entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void unlink_entry(struct value_cache *cache, struct value_cache_entry *entry)
{
	INVARIANT((cache->newest == entry) == !entry->newer);
	INVARIANT((cache->oldest == entry) == !entry->older);
	if (cache->hand == entry)
		cache->hand = entry->newer;
	*(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

void value_cache_renew(struct value_cache *cache, struct value_cache_entry *entry)
{
	unlink_entry(cache, entry);
	link_newest(cache, entry);
}

/* ---- Removing ---- */

static void free_entry(struct value_cache_entry *entry)
{
	cache_value_release(entry->value);
	free(entry);
}

void value_cache_remove(struct value_cache *cache, struct value_cache_entry *entry)
{
	struct value_cache_entry **link = bucket_of(cache, entry->place);

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	unlink_entry(cache, entry);
	INVARIANT(cache->used_bytes >= entry_cost(entry));
	cache->entry_count--;
	cache->used_bytes -= entry_cost(entry);
	free_entry(entry);
}

void value_cache_forget(struct value_cache *cache, uint64_t place, struct slice scope)
{
	struct value_cache_entry *entry = cache->buckets ? *bucket_of(cache, place) : NULL;

	while (entry) {
		struct value_cache_entry *next = entry->chain;

		if (entry->place == place && slice_equal(value_cache_scope_of(entry), scope))
			value_cache_remove(cache, entry);
		entry = next;
	}
}

void value_cache_clear(struct value_cache *cache)
{
	while (cache->oldest) {
		struct value_cache_entry *entry = cache->oldest;

		cache->oldest = entry->newer;
		free_entry(entry);
	}
	free(cache->buckets);
	*cache = (struct value_cache){
		.max_bytes = cache->max_bytes,
		.entry_max_bytes = cache->entry_max_bytes,
		.evictions = cache->evictions,
	};
}

/* If nothing is marked as hit the hand stays at the oldest: that is LRU. */
static void evict_one(struct value_cache *cache)
{
	struct value_cache_entry *victim = cache->hand ? cache->hand : cache->oldest;

	while (victim->was_hit) {
		victim->was_hit = false;
		victim = victim->newer ? victim->newer : cache->oldest;
	}
	cache->hand = victim;
	cache->evictions++;
	value_cache_remove(cache, victim);
}

/* ---- Looking up and adding ---- */

struct value_cache_entry *value_cache_find(const struct value_cache *cache,
					   const struct value_cache_key *key)
{
	struct value_cache_entry *entry = cache->buckets ? *bucket_of(cache, key->place) : NULL;

	while (entry &&
	       !(entry->place == key->place && slice_equal(value_cache_key_of(entry), key->key) &&
		 slice_equal(value_cache_scope_of(entry), key->scope)))
		entry = entry->chain;
	return entry;
}

/* Doubles the buckets. False: there are none, and no memory for any. */
static bool grow(struct value_cache *cache)
{
	size_t count = cache->bucket_count > 0 ? cache->bucket_count * 2 : BUCKETS_MIN;
	struct value_cache_entry **buckets = calloc(count, sizeof(struct value_cache_entry *));

	if (!buckets)
		return cache->buckets != NULL; /* otherwise the chains get longer */
	free(cache->buckets);
	cache->buckets = buckets;
	cache->bucket_count = count;
	for (struct value_cache_entry *entry = cache->oldest; entry; entry = entry->newer) {
		struct value_cache_entry **bucket = bucket_of(cache, entry->place);

		entry->chain = *bucket;
		*bucket = entry;
	}
	return true;
}

static struct value_cache_entry *make_entry(const struct value_cache_key *key,
					    struct cache_value *value, int64_t mark)
{
	struct value_cache_entry *entry = malloc(sizeof(*entry) + key->scope.len + key->key.len);

	if (!entry)
		return NULL;
	*entry = (struct value_cache_entry){
		.value = cache_value_acquire(value),
		.place = key->place,
		.mark = mark,
		.key_len = (uint32_t)key->key.len,
		.scope_len = (uint16_t)key->scope.len,
	};
	if (key->scope.len > 0)
		memcpy(entry->names, key->scope.data, key->scope.len);
	if (key->key.len > 0)
		memcpy(entry->names + key->scope.len, key->key.data, key->key.len);
	return entry;
}

bool value_cache_add(struct value_cache *cache, const struct value_cache_key *key,
		     struct cache_value *value, int64_t mark)
{
	size_t cost = cost_of(key->scope.len + key->key.len, value);

	if (cost > cache->entry_max_bytes || key->key.len > UINT32_MAX ||
	    key->scope.len > UINT16_MAX)
		return false;
	while (cache->oldest && cache->used_bytes + cost > cache->max_bytes)
		evict_one(cache);
	if (cache->entry_count >= cache->bucket_count && !grow(cache))
		return false;
	struct value_cache_entry *entry = make_entry(key, value, mark);
	if (!entry)
		return false;
	struct value_cache_entry **bucket = bucket_of(cache, entry->place);
	entry->chain = *bucket;
	*bucket = entry;
	link_newest(cache, entry);
	cache->entry_count++;
	cache->used_bytes += cost;
	INVARIANT(cache->used_bytes <= cache->max_bytes);
	return true;
}

bool value_cache_replace(struct value_cache *cache, struct value_cache_entry *entry,
			 struct cache_value *value, int64_t mark)
{
	size_t cost = cost_of((size_t)entry->scope_len + entry->key_len, value);

	if (cost > cache->entry_max_bytes)
		return false;
	cache->used_bytes += cost;
	cache->used_bytes -= entry_cost(entry);
	cache_value_release(entry->value);
	entry->value = cache_value_acquire(value);
	entry->mark = mark;
	while (cache->used_bytes > cache->max_bytes)
		evict_one(cache);
	return true;
}
