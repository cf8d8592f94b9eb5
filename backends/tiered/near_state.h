/* The near cache, as its two files share it:
 *
 *   near.c        what keeps it coherent: notes, fills, and the writes and clears around them
 *   near_store.c  the entries of a shard: look-up, order of use, limit of bytes
 *
 * Private to these files. A shard owns its entries, and an entry one reference to its value. Where
 * nothing else is said, functions want the shard's lock held. */
#ifndef STEADYCACHE_TIERED_NEAR_STATE_H
#define STEADYCACHE_TIERED_NEAR_STATE_H

#include <pthread.h>

#include "backends/tiered/near.h"

#define NEAR_SHARDS   8
#define NEAR_SLOTS    256
#define NEAR_NS_SLOTS 256

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

static inline struct near_shard *near_shard_of(struct near *near, const struct near_key *key)
{
	return &near->shards[key->hash >> 61];
}

/* ---- near_store.c ---- */

/* Makes an empty shard of a zeroed one; false: out of memory, and deinit is due all the same.
 * Without the lock, as is deinit, which takes a zeroed one too. */
bool near_shard_init(struct near_shard *shard);
void near_shard_deinit(struct near_shard *shard);

/* An entry that is in no shard yet, with a reference to `value` of its own. NULL: out of memory, or
 * the key is too long. Without the lock, as is free. */
struct near_entry *near_make_entry(const struct near_key *key, struct cache_value *value,
				   int64_t fetched_us);
void near_free_entry(struct near_entry *entry);

static inline bool near_entry_fits(const struct near *near, const struct near_entry *entry)
{
	return entry->cost_bytes <= near->shard_max_bytes;
}

/* Puts `entry`, which fits, in place of what there is, and takes it over. */
void near_insert(const struct near *near, struct near_shard *shard, const struct near_key *key,
		 struct near_entry *entry);
/* Removes the key's entry, where there is one. */
void near_remove_key(struct near_shard *shard, const struct near_key *key);
/* Removes the entries of `ns` whose keys begin with `prefix`. Takes the lock. */
void near_clear_shard(struct near_shard *shard, struct slice ns, struct slice prefix);

#endif
