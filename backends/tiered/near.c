#include "backends/tiered/near.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/value_cache.h"
#include "store/rules.h"

#define SHARDS   8
#define SLOTS    256
#define NS_SLOTS 256

/* Versions of the keys that share it. */
struct slot {
	uint64_t version;
	uint32_t writers;
};

struct shard {
	pthread_mutex_t lock;     /* guards the members below */
	struct value_cache cache; /* LRU; an entry's mark is the time at which its value was
				   * fetched */
	struct slot slots[SLOTS];
	uint64_t hits, misses, fills;
};

/* Versions of the namespaces that share it. */
struct ns_slot {
	_Atomic uint64_t version;
	_Atomic uint32_t epoch; /* of what may be found */
	atomic_uint writers;
};

struct near {
	uint64_t seed;
	_Atomic uint64_t stale;
	struct ns_slot namespaces[NS_SLOTS];
	struct shard shards[SHARDS];
};

/* ---- Life ---- */

struct near *near_create(size_t max_bytes)
{
	struct near *near = calloc(1, sizeof(*near));

	if (!near)
		return NULL;
	if (getrandom(&near->seed, sizeof(near->seed), GRND_NONBLOCK) < 0)
		near->seed = (uint64_t)(uintptr_t)near;
	for (size_t i = 0; i < SHARDS; i++) {
		(void)pthread_mutex_init(&near->shards[i].lock, NULL);
		value_cache_init(&near->shards[i].cache, max_bytes / SHARDS, max_bytes / SHARDS);
	}
	return near;
}

void near_destroy(struct near *near)
{
	if (!near)
		return;
	for (size_t i = 0; i < SHARDS; i++) {
		value_cache_clear(&near->shards[i].cache);
		(void)pthread_mutex_destroy(&near->shards[i].lock);
	}
	free(near);
}

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

static struct shard *shard_of(struct near *near, const struct near_key *key)
{
	return &near->shards[key->hash >> 61];
}

static struct value_cache_key place_of(const struct near_key *key)
{
	return (struct value_cache_key){.place = key->hash, .scope = key->ns, .key = key->key};
}

static struct slot *slot_of(struct shard *shard, const struct near_key *key)
{
	return &shard->slots[(key->hash >> 48) % SLOTS];
}

static struct ns_slot *ns_slot_of(struct near *near, uint64_t ns_hash)
{
	return &near->namespaces[ns_hash % NS_SLOTS];
}

/* ---- Looking up ---- */

struct cache_value *near_find(struct near *near, const struct near_key *key, int64_t now_us,
			      int64_t not_before_us, int64_t *ret_fetched_us)
{
	struct shard *shard = shard_of(near, key);
	struct value_cache_key place = place_of(key);
	struct cache_value *value = NULL;

	(void)pthread_mutex_lock(&shard->lock);
	struct value_cache_entry *entry = value_cache_find(&shard->cache, &place);
	if (entry && (entry->epoch != atomic_load(&ns_slot_of(near, key->ns_hash)->epoch) ||
		      !rules_is_live(entry->value->expires_at_us, now_us))) {
		value_cache_remove(&shard->cache, entry);
		entry = NULL;
	}
	if (entry && entry->mark >= not_before_us) {
		value = cache_value_acquire(entry->value);
		if (ret_fetched_us)
			*ret_fetched_us = entry->mark;
		value_cache_renew(&shard->cache, entry);
		shard->hits++;
	} else {
		shard->misses++;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	return value;
}

/* ---- Notes ---- */

static void take_note(struct near *near, struct shard *shard, const struct near_key *key,
		      struct near_note *ret_note)
{
	const struct slot *slot = slot_of(shard, key);
	struct ns_slot *ns = ns_slot_of(near, key->ns_hash);

	*ret_note = (struct near_note){
		.version = slot->version,
		.ns_version = atomic_load(&ns->version),
		.ns_epoch = atomic_load(&ns->epoch),
		.may_fill = slot->writers == 0 && atomic_load(&ns->writers) == 0,
	};
}

/* Whether nothing was written since the note, except by `own_writers`. */
static bool note_holds(struct near *near, struct shard *shard, const struct near_key *key,
		       const struct near_note *note, uint32_t own_writers)
{
	const struct slot *slot = slot_of(shard, key);
	struct ns_slot *ns = ns_slot_of(near, key->ns_hash);

	return note->may_fill && slot->version == note->version && slot->writers == own_writers &&
	       atomic_load(&ns->version) == note->ns_version && atomic_load(&ns->writers) == 0;
}

void near_note(struct near *near, const struct near_key *key, struct near_note *ret_note)
{
	struct shard *shard = shard_of(near, key);

	(void)pthread_mutex_lock(&shard->lock);
	take_note(near, shard, key, ret_note);
	(void)pthread_mutex_unlock(&shard->lock);
}

static void keep(struct shard *shard, const struct near_key *key, struct cache_value *value,
		 int64_t fetched_us, const struct near_note *note)
{
	struct value_cache_key place = place_of(key);

	value_cache_forget(&shard->cache, place.place, place.scope);
	if (!value_cache_add(&shard->cache, &place, value, fetched_us))
		return;
	shard->cache.newest->epoch = note->ns_epoch;
	shard->fills++;
}

void near_fill(struct near *near, const struct near_key *key, struct cache_value *value,
	       int64_t fetched_us, const struct near_note *note)
{
	struct shard *shard = shard_of(near, key);

	if (!note->may_fill)
		return;
	(void)pthread_mutex_lock(&shard->lock);
	if (note_holds(near, shard, key, note, 0))
		keep(shard, key, value, fetched_us, note);
	(void)pthread_mutex_unlock(&shard->lock);
}

/* ---- Writing ---- */

void near_begin_write(struct near *near, const struct near_key *key, struct near_note *ret_note)
{
	struct shard *shard = shard_of(near, key);
	struct slot *slot = slot_of(shard, key);

	(void)pthread_mutex_lock(&shard->lock);
	value_cache_forget(&shard->cache, key->hash, key->ns);
	slot->version++;
	take_note(near, shard, key, ret_note);
	slot->writers++;
	(void)pthread_mutex_unlock(&shard->lock);
}

void near_end_write(struct near *near, const struct near_key *key, struct cache_value *value,
		    int64_t fetched_us, const struct near_note *note)
{
	struct shard *shard = shard_of(near, key);
	struct slot *slot = slot_of(shard, key);

	(void)pthread_mutex_lock(&shard->lock);
	if (value && note_holds(near, shard, key, note, 1))
		keep(shard, key, value, fetched_us, note);
	slot->version++;
	slot->writers--;
	(void)pthread_mutex_unlock(&shard->lock);
}

static void clear_shard(struct shard *shard, struct slice ns, struct slice prefix)
{
	struct value_cache_entry *newer;

	(void)pthread_mutex_lock(&shard->lock);
	for (struct value_cache_entry *entry = shard->cache.oldest; entry; entry = newer) {
		newer = entry->newer;
		if (slice_equal(value_cache_scope_of(entry), ns) &&
		    slice_starts_with(value_cache_key_of(entry), prefix))
			value_cache_remove(&shard->cache, entry);
	}
	(void)pthread_mutex_unlock(&shard->lock);
}

void near_begin_clear(struct near *near, struct slice ns)
{
	struct near_key key = near_key_of(near, ns, ns);
	struct ns_slot *slot = ns_slot_of(near, key.ns_hash);

	(void)atomic_fetch_add(&slot->writers, 1);
	(void)atomic_fetch_add(&slot->version, 1);
}

void near_end_clear(struct near *near, struct slice ns, struct slice prefix)
{
	struct near_key key = near_key_of(near, ns, ns);
	struct ns_slot *slot = ns_slot_of(near, key.ns_hash);

	if (prefix.len == 0)
		(void)atomic_fetch_add(&slot->epoch, 1);
	for (size_t i = 0; prefix.len > 0 && i < SHARDS; i++)
		clear_shard(&near->shards[i], ns, prefix);
	(void)atomic_fetch_add(&slot->version, 1);
	(void)atomic_fetch_sub(&slot->writers, 1);
}

/* ---- Writes of others ---- */

void near_forget(struct near *near, const struct near_key *key)
{
	struct shard *shard = shard_of(near, key);

	(void)pthread_mutex_lock(&shard->lock);
	value_cache_forget(&shard->cache, key->hash, key->ns);
	slot_of(shard, key)->version++;
	(void)pthread_mutex_unlock(&shard->lock);
}

static void end_epoch(struct ns_slot *slot)
{
	(void)atomic_fetch_add(&slot->epoch, 1);
	(void)atomic_fetch_add(&slot->version, 1);
}

void near_forget_namespace(struct near *near, struct slice ns)
{
	struct near_key key = near_key_of(near, ns, ns);

	end_epoch(ns_slot_of(near, key.ns_hash));
}

void near_forget_all(struct near *near)
{
	for (size_t i = 0; i < NS_SLOTS; i++)
		end_epoch(&near->namespaces[i]);
}

/* ---- Numbers ---- */

void near_count_stale(struct near *near)
{
	(void)atomic_fetch_add_explicit(&near->stale, 1, memory_order_relaxed);
}

struct near_counts near_counts(struct near *near)
{
	struct near_counts counts = {.stale = atomic_load(&near->stale)};

	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &near->shards[i];

		(void)pthread_mutex_lock(&shard->lock);
		counts.entries += shard->cache.entry_count;
		counts.bytes += shard->cache.used_bytes;
		counts.hits += shard->hits;
		counts.misses += shard->misses;
		counts.fills += shard->fills;
		counts.evictions += shard->cache.evictions;
		(void)pthread_mutex_unlock(&shard->lock);
	}
	return counts;
}
