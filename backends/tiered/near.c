#include "backends/tiered/near_state.h"

#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

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
		if (!near_shard_init(&near->shards[i])) {
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
	for (size_t i = 0; i < NEAR_SHARDS; i++)
		near_shard_deinit(&near->shards[i]);
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

/* ---- Notes ---- */

static struct near_slot *slot_of(struct near_shard *shard, const struct near_key *key)
{
	return &shard->slots[(key->hash >> 48) % NEAR_SLOTS];
}

static struct near_ns_slot *ns_slot_of(struct near *near, uint64_t ns_hash)
{
	return &near->namespaces[ns_hash % NEAR_NS_SLOTS];
}

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

void near_note(struct near *near, const struct near_key *key, struct near_note *ret_note)
{
	struct near_shard *shard = near_shard_of(near, key);

	(void)pthread_mutex_lock(&shard->lock);
	take_note(near, shard, key, ret_note);
	(void)pthread_mutex_unlock(&shard->lock);
}

void near_fill(struct near *near, const struct near_key *key, struct cache_value *value,
	       int64_t fetched_us, const struct near_note *note)
{
	struct near_shard *shard = near_shard_of(near, key);
	struct near_entry *entry = note->may_fill ? near_make_entry(key, value, fetched_us) : NULL;
	bool kept = false;

	if (!entry)
		return;
	(void)pthread_mutex_lock(&shard->lock);
	if (near_entry_fits(near, entry) && note_holds(near, shard, key, note, 0)) {
		near_insert(near, shard, key, entry);
		kept = true;
	}
	(void)pthread_mutex_unlock(&shard->lock);
	if (!kept)
		near_free_entry(entry);
}

/* ---- Writing ---- */

void near_begin_write(struct near *near, const struct near_key *key, struct near_note *ret_note)
{
	struct near_shard *shard = near_shard_of(near, key);
	struct near_slot *slot = slot_of(shard, key);

	(void)pthread_mutex_lock(&shard->lock);
	near_remove_key(shard, key);
	slot->version++;
	take_note(near, shard, key, ret_note);
	slot->writers++;
	(void)pthread_mutex_unlock(&shard->lock);
}

void near_end_write(struct near *near, const struct near_key *key, struct cache_value *value,
		    int64_t fetched_us, const struct near_note *note)
{
	struct near_shard *shard = near_shard_of(near, key);
	struct near_slot *slot = slot_of(shard, key);
	struct near_entry *entry =
		value && note->may_fill ? near_make_entry(key, value, fetched_us) : NULL;
	bool kept = false;

	(void)pthread_mutex_lock(&shard->lock);
	if (entry && near_entry_fits(near, entry) && note_holds(near, shard, key, note, 1)) {
		near_insert(near, shard, key, entry);
		kept = true;
	}
	slot->version++;
	slot->writers--;
	(void)pthread_mutex_unlock(&shard->lock);
	if (entry && !kept)
		near_free_entry(entry);
}

void near_begin_clear(struct near *near, struct slice ns)
{
	struct near_key key = near_key_of(near, ns, ns);
	struct near_ns_slot *slot = ns_slot_of(near, key.ns_hash);

	(void)atomic_fetch_add(&slot->writers, 1);
	(void)atomic_fetch_add(&slot->version, 1);
}

void near_end_clear(struct near *near, struct slice ns, struct slice prefix)
{
	struct near_key key = near_key_of(near, ns, ns);
	struct near_ns_slot *slot = ns_slot_of(near, key.ns_hash);

	for (size_t i = 0; i < NEAR_SHARDS; i++)
		near_clear_shard(&near->shards[i], ns, prefix);
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
