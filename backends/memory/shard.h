/* A shard: a sixteenth of a namespace, with a lock, a table, an eviction order and an expiry heap.
 * All functions but init and deinit: with the lock held. What they take out they put in front of
 * `*trash`, to be freed (entry_free_list) after the lock is let go: freeing megabytes takes time.
 */
#ifndef STEADYCACHE_MEMORY_SHARD_H
#define STEADYCACHE_MEMORY_SHARD_H

#include <pthread.h>
#include <stdalign.h>

#include "backends/memory/table.h"
#include "backends/memory/usage.h"
#include "store/backend.h"
#include "store/policy/expiry.h"
#include "store/policy/order.h"

struct shard_counters {
	uint64_t hits, misses, sets, deletes, evictions, expirations, stale_hits;
};

struct shard {
	/* A cache line of its own: neighbours are locked by other threads. */
	alignas(64) pthread_mutex_t lock;
	struct table table;
	struct order order;
	struct expiry expiry;
	int64_t stale_us;    /* how long what has expired stays */
	uint64_t size_bytes; /* sum of the sizes of its entries */
	struct shard_counters counters;
	struct usage *usage; /* of the namespace */
	struct usage *total; /* of the backend: memory_bytes and expiring only */
};

void shard_init(struct shard *shard, enum eviction_policy policy, struct usage *usage,
		struct usage *total);
void shard_deinit(struct shard *shard);

/* The entry of `key`, live (*ret_stale false) or in its stale time, or NULL. One beyond that goes
 * to the trash. */
struct entry *shard_find(struct shard *shard, uint64_t hash, struct slice key, int64_t now_us,
			 bool *ret_stale, struct entry **trash);

/* Room for what a set may need, `expiring` entries with a TTL among it; shard_add and
 * shard_overwrite cannot fail then. False: out of memory. */
bool shard_prepare(struct shard *shard, size_t expiring);

/* Puts a new entry in, with last access and stamp set. Its usage was added already (but for
 * `expiring`). True where it is the first of the backend that expires: then wake the sweeper. */
bool shard_add(struct shard *shard, uint64_t hash, struct entry *entry);

/* Puts `fresh`, with the same key, in the place of `entry`, which is then trash. It counts as a use
 * and keeps the creation. Usage and result: as for shard_add. */
bool shard_overwrite(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		     int64_t now_us, struct entry **trash);

/* The same for an entry in its stale time: `fresh`, with last access and stamp set, begins anew in
 * its place. */
bool shard_replace(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		   struct entry **trash);

/* Takes an entry out that has expired, and its usage off. */
void shard_drop_expired(struct shard *shard, struct entry *entry, struct entry **trash);

/* Takes an entry out and its usage off. */
void shard_remove(struct shard *shard, struct entry *entry, struct entry **trash);

/* Removes up to `max` expired entries whose stale time is over, the earliest first; how many it
 * were.
 */
size_t shard_expire(struct shard *shard, int64_t now_us, size_t max, struct entry **trash);

#endif
