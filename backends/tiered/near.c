#include "backends/tiered/near.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#define NEAR_SHARDS     8
#define NEAR_SLOTS      256
#define NEAR_NS_SLOTS   256
#define NEAR_BUCKETS    1024         /* of a shard, at first */
#define ALLOCATOR_BYTES ((size_t)32) /* that an entry and a value cost beside what they hold */

struct near_entry {
	struct near_entry *chain;
	struct near_entry *newer, *older;
	struct cache_value *value;
	uint64_t hash;
	int64_t fetched_us;
	size_t cost_bytes;
	uint32_t ns_len, key_len;
	char names[]; /* namespace, then key */
};

struct near_slot {
	uint64_t version;
	uint32_t writers;
};

struct near_shard {
	pthread_mutex_t lock;
	struct near_entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t entry_count, bytes;
	struct near_entry *newest, *oldest;
	struct near_slot slots[NEAR_SLOTS];
	uint64_t hits, misses, fills, evictions;
};

struct near_ns_slot {
	_Atomic uint64_t version;
	atomic_uint writers;
};

struct near {
	size_t shard_max_bytes;
	uint64_t seed;
	_Atomic uint64_t stale;
	struct near_ns_slot namespaces[NEAR_NS_SLOTS];
	struct near_shard shards[NEAR_SHARDS];
};

/* ---- Life ---- */

struct near *near_create(size_t max_bytes)
{
	struct near *near = calloc(1, sizeof(*near));

	if (!near)
		return NULL;
	near->shard_max_bytes = max_bytes / NEAR_SHARDS;
	if (getrandom(&near->seed, sizeof(near->seed), GRND_NONBLOCK) < 0)
		near->seed = (uint64_t)(uintptr_t)near;
	for (size_t i = 0; i < NEAR_SHARDS; i++) {
		struct near_shard *shard = &near->shards[i];

		(void)pthread_mutex_init(&shard->lock, NULL);
		shard->bucket_count = NEAR_BUCKETS;
		shard->buckets = calloc(NEAR_BUCKETS, sizeof(struct near_entry *));
		if (!shard->buckets) {
			near_destroy(near);
			return NULL;
		}
	}
	return near;
}

void near_destroy(struct near *near)
{
	if (!near)
		return;
	for (size_t i = 0; i < NEAR_SHARDS; i++) {
		struct near_shard *shard = &near->shards[i];

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
	free(near);
}

/* ---- Keys and places ---- */

struct near_key near_key_of(const struct near *near, struct slice ns, struct slice key)
{
	uint64_t ns_hash = XXH3_64bits_withSeed(ns.data, ns.len, near->seed);

	return (struct near_key){
		.ns = ns,
		.key = key,
		.ns_hash = ns_hash,
		.hash = XXH3_64bits_withSeed(key.data, key.len, ns_hash),
	};
}

static struct near_shard *shard_of(struct near *near, const struct near_key *key)
{
	return &near->shards[key->hash >> 61];
}

static struct near_slot *slot_of(struct near_shard *shard, const struct near_key *key)
{
	return &shard->slots[(key->hash >> 48) % NEAR_SLOTS];
}

static struct near_ns_slot *ns_slot_of(struct near *near, uint64_t ns_hash)
{
	return &near->namespaces[ns_hash % NEAR_NS_SLOTS];
}

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

static struct near_entry *make_entry(const struct near_key *key, struct cache_value *value,
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

/* Puts `entry` in place of what there is; the shard is locked. */
static void insert(const struct near *near, struct near_shard *shard, const struct near_key *key,
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

static void free_entry(struct near_entry *entry)
{
	cache_value_release(entry->value);
	free(entry);
}

static bool fits(const struct near *near, const struct near_entry *entry)
{
	return entry->cost_bytes <= near->shard_max_bytes;
}

/* ---- Reading ---- */

static void take_note(struct near *near, struct near_shard *shard, const struct near_key *key,
		      struct near_note *ret_note)
{
	const struct near_slot *slot = slot_of(shard, key);
	struct near_ns_slot *ns = ns_slot_of(near, key->ns_hash);

	*ret_note = (struct near_note){
		.version = slot->version,
		.ns_version = atomic_load(&ns->version),
		.may_fill = slot->writers == 0 && atomic_load(&ns->writers) == 0,
	};
}

/* Whether nothing was written since the note, but by `own_writers`. */
static bool note_holds(struct near *near, struct near_shard *shard, const struct near_key *key,
		       const struct near_note *note, uint32_t own_writers)
{
	const struct near_slot *slot = slot_of(shard, key);
	struct near_ns_slot *ns = ns_slot_of(near, key->ns_hash);

	return note->may_fill && slot->version == note->version && slot->writers == own_writers &&
	       atomic_load(&ns->version) == note->ns_version && atomic_load(&ns->writers) == 0;
}

struct cache_value *near_find(struct near *near, const struct near_key *key, int64_t now_us,
			      int64_t not_before_us)
{
	struct near_shard *shard = shard_of(near, key);
	struct cache_value *value = NULL;

	(void)pthread_mutex_lock(&shard->lock);
	struct near_entry **at = find_place(shard, key);
	struct near_entry *entry = *at;
	if (entry && entry->value->expires_at_us != 0 && entry->value->expires_at_us <= now_us) {
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

void near_note(struct near *near, const struct near_key *key, struct near_note *ret_note)
{
	struct near_shard *shard = shard_of(near, key);

	(void)pthread_mutex_lock(&shard->lock);
	take_note(near, shard, key, ret_note);
	(void)pthread_mutex_unlock(&shard->lock);
}

void near_fill(struct near *near, const struct near_key *key, struct cache_value *value,
	       int64_t fetched_us, const struct near_note *note)
{
	struct near_shard *shard = shard_of(near, key);
	struct near_entry *entry = note->may_fill ? make_entry(key, value, fetched_us) : NULL;
	bool kept = false;

	if (!entry)
		return;
	(void)pthread_mutex_lock(&shard->lock);
	if (fits(near, entry) && note_holds(near, shard, key, note, 0)) {
		insert(near, shard, key, entry);
		kept = true;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	if (!kept)
		free_entry(entry);
}

/* ---- Writing ---- */

void near_begin_write(struct near *near, const struct near_key *key, struct near_note *ret_note)
{
	struct near_shard *shard = shard_of(near, key);
	struct near_slot *slot = slot_of(shard, key);

	(void)pthread_mutex_lock(&shard->lock);
	struct near_entry **at = find_place(shard, key);
	if (*at)
		remove_at(shard, at);
	slot->version++;
	take_note(near, shard, key, ret_note);
	slot->writers++;
	(void)pthread_mutex_unlock(&shard->lock);
}

void near_end_write(struct near *near, const struct near_key *key, struct cache_value *value,
		    int64_t fetched_us, const struct near_note *note)
{
	struct near_shard *shard = shard_of(near, key);
	struct near_slot *slot = slot_of(shard, key);
	struct near_entry *entry =
		value && note->may_fill ? make_entry(key, value, fetched_us) : NULL;
	bool kept = false;

	(void)pthread_mutex_lock(&shard->lock);
	if (entry && fits(near, entry) && note_holds(near, shard, key, note, 1)) {
		insert(near, shard, key, entry);
		kept = true;
	}
	slot->version++;
	slot->writers--;
	(void)pthread_mutex_unlock(&shard->lock);
	if (entry && !kept)
		free_entry(entry);
}

void near_begin_clear(struct near *near, struct slice ns)
{
	struct near_key key = near_key_of(near, ns, ns);
	struct near_ns_slot *slot = ns_slot_of(near, key.ns_hash);

	(void)atomic_fetch_add(&slot->writers, 1);
	(void)atomic_fetch_add(&slot->version, 1);
}

static void clear_shard(struct near_shard *shard, struct slice ns, struct slice prefix)
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

void near_end_clear(struct near *near, struct slice ns, struct slice prefix)
{
	struct near_key key = near_key_of(near, ns, ns);
	struct near_ns_slot *slot = ns_slot_of(near, key.ns_hash);

	for (size_t i = 0; i < NEAR_SHARDS; i++)
		clear_shard(&near->shards[i], ns, prefix);
	(void)atomic_fetch_add(&slot->version, 1);
	(void)atomic_fetch_sub(&slot->writers, 1);
}

/* ---- Numbers ---- */

void near_count_stale(struct near *near)
{
	(void)atomic_fetch_add_explicit(&near->stale, 1, memory_order_relaxed);
}

struct near_counts near_counts(struct near *near)
{
	struct near_counts counts = {.stale = atomic_load(&near->stale)};

	for (size_t i = 0; i < NEAR_SHARDS; i++) {
		struct near_shard *shard = &near->shards[i];

		(void)pthread_mutex_lock(&shard->lock);
		counts.entries += shard->entry_count;
		counts.bytes += shard->bytes;
		counts.hits += shard->hits;
		counts.misses += shard->misses;
		counts.fills += shard->fills;
		counts.evictions += shard->evictions;
		(void)pthread_mutex_unlock(&shard->lock);
	}
	return counts;
}
