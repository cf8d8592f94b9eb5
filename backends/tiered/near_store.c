#include "backends/tiered/near_state.h"

#include <stdlib.h>

#include "store/rules.h"

#define NEAR_BUCKETS    1024         /* of a shard, at first */
#define ALLOCATOR_BYTES ((size_t)32) /* that an entry and a value cost beside what they hold */

bool near_shard_init(struct near_shard *shard)
{
	(void)pthread_mutex_init(&shard->lock, NULL);
	shard->bucket_count = NEAR_BUCKETS;
	shard->buckets = calloc(NEAR_BUCKETS, sizeof(struct near_entry *));
	return shard->buckets != NULL;
}

void near_shard_deinit(struct near_shard *shard)
{
	while (shard->newest) {
		struct near_entry *older = shard->newest->older;

		cache_value_release(shard->newest->value);
		free(shard->newest);
		shard->newest = older;
	}
	free(shard->buckets);
	if (shard->bucket_count > 0)
		(void)pthread_mutex_destroy(&shard->lock);
}

/* ---- Places ---- */

static struct slice entry_ns(const struct near_entry *entry)
{
	return (struct slice){.data = entry->names, .len = entry->ns_len};
}

static struct slice entry_key(const struct near_entry *entry)
{
	return (struct slice){.data = entry->names + entry->ns_len, .len = entry->key_len};
}

static struct near_entry **bucket_of(struct near_shard *shard, uint64_t hash)
{
	return &shard->buckets[hash & (shard->bucket_count - 1)];
}

/* Where the pointer to the entry stands, or the end of its chain. */
static struct near_entry **find_place(struct near_shard *shard, const struct near_key *key)
{
	struct near_entry **at = bucket_of(shard, key->hash);

	while (*at && !((*at)->hash == key->hash && slice_equal(entry_key(*at), key->key) &&
			slice_equal(entry_ns(*at), key->ns)))
		at = &(*at)->chain;
	return at;
}

/* ---- The order of use ---- */

static void unlink_entry(struct near_shard *shard, struct near_entry *entry)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		shard->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		shard->oldest = entry->newer;
}

static void link_newest(struct near_shard *shard, struct near_entry *entry)
{
	entry->newer = NULL;
	entry->older = shard->newest;
	if (shard->newest)
		shard->newest->newer = entry;
	else
		shard->oldest = entry;
	shard->newest = entry;
}

static void remove_at(struct near_shard *shard, struct near_entry **at)
{
	struct near_entry *entry = *at;

	*at = entry->chain;
	unlink_entry(shard, entry);
	shard->bytes -= entry->cost_bytes;
	shard->entry_count--;
	cache_value_release(entry->value);
	free(entry);
}

static void remove_oldest(struct near_shard *shard)
{
	struct near_entry **at = bucket_of(shard, shard->oldest->hash);

	while (*at != shard->oldest)
		at = &(*at)->chain;
	remove_at(shard, at);
	shard->evictions++;
}

/* ---- Adding ---- */

/* Twice the buckets; without memory the chains grow longer. */
static void grow(struct near_shard *shard)
{
	size_t count = shard->bucket_count * 2;
	struct near_entry **grown = calloc(count, sizeof(struct near_entry *));

	if (!grown)
		return;
	for (struct near_entry *entry = shard->newest; entry; entry = entry->older) {
		entry->chain = grown[entry->hash & (count - 1)];
		grown[entry->hash & (count - 1)] = entry;
	}
	free(shard->buckets);
	shard->buckets = grown;
	shard->bucket_count = count;
}

struct near_entry *near_make_entry(const struct near_key *key, struct cache_value *value,
				   int64_t fetched_us)
{
	size_t size = sizeof(struct near_entry) + key->ns.len + key->key.len;
	struct near_entry *entry = key->key.len <= UINT32_MAX ? malloc(size) : NULL;

	if (!entry)
		return NULL;
	*entry = (struct near_entry){
		.value = cache_value_acquire(value),
		.hash = key->hash,
		.fetched_us = fetched_us,
		.cost_bytes = size + cache_value_memory_bytes(value) + 2 * ALLOCATOR_BYTES,
		.ns_len = (uint32_t)key->ns.len,
		.key_len = (uint32_t)key->key.len,
	};
	memcpy(entry->names, key->ns.data, key->ns.len);
	if (key->key.len > 0)
		memcpy(entry->names + key->ns.len, key->key.data, key->key.len);
	return entry;
}

void near_insert(const struct near *near, struct near_shard *shard, const struct near_key *key,
		 struct near_entry *entry)
{
	struct near_entry **at = find_place(shard, key);

	if (*at)
		remove_at(shard, at);
	while (shard->oldest && shard->bytes + entry->cost_bytes > near->shard_max_bytes)
		remove_oldest(shard);
	if (shard->entry_count > shard->bucket_count)
		grow(shard);
	at = bucket_of(shard, key->hash);
	entry->chain = *at;
	*at = entry;
	link_newest(shard, entry);
	shard->bytes += entry->cost_bytes;
	shard->entry_count++;
	shard->fills++;
}

void near_free_entry(struct near_entry *entry)
{
	cache_value_release(entry->value);
	free(entry);
}

/* ---- Looking up and removing ---- */

struct cache_value *near_find(struct near *near, const struct near_key *key, int64_t now_us,
			      int64_t not_before_us)
{
	struct near_shard *shard = near_shard_of(near, key);
	struct cache_value *value = NULL;

	(void)pthread_mutex_lock(&shard->lock);
	struct near_entry **at = find_place(shard, key);
	struct near_entry *entry = *at;
	if (entry && !rules_is_live(entry->value->expires_at_us, now_us)) {
		remove_at(shard, at);
		entry = NULL;
	}
	if (entry && entry->fetched_us >= not_before_us) {
		value = cache_value_acquire(entry->value);
		unlink_entry(shard, entry);
		link_newest(shard, entry);
		shard->hits++;
	} else {
		shard->misses++;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return value;
}

void near_remove_key(struct near_shard *shard, const struct near_key *key)
{
	struct near_entry **at = find_place(shard, key);

	if (*at)
		remove_at(shard, at);
}

void near_clear_shard(struct near_shard *shard, struct slice ns, struct slice prefix)
{
	(void)pthread_mutex_lock(&shard->lock);
	for (size_t i = 0; i < shard->bucket_count; i++) {
		struct near_entry **at = &shard->buckets[i];

		while (*at) {
			if (slice_equal(entry_ns(*at), ns) &&
			    slice_starts_with(entry_key(*at), prefix))
				remove_at(shard, at);
			else
				at = &(*at)->chain;
		}
	}
	(void)pthread_mutex_unlock(&shard->lock);
}
