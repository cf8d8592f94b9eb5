/* A shard: a sixteenth of a namespace, with a lock, a table, an eviction order and an expiry heap.
 * Call all functions but init and deinit with the lock held. They add what they remove to the front
 * of `*trash`, to be freed (entry_free_list) after the lock is released: freeing megabytes takes
 * time. */
#ifndef STEADYCACHE_MEMORY_SHARD_H
#define STEADYCACHE_MEMORY_SHARD_H

#include <pthread.h>
#include <stdalign.h>

#include "backends/memory/alarms.h"
#include "backends/memory/noted.h"
#include "backends/memory/table.h"
#include "backends/memory/usage.h"
#include "store/backend.h"
#include "store/policy/expiry.h"
#include "store/policy/order.h"
#include "store/tell.h"

struct shard_counters {
	uint64_t hits, misses, sets, deletes, evictions, expirations, stale_hits;
};

struct shard {
	/* On its own cache line, because other threads lock the neighbours. */
	alignas(64) pthread_mutex_t lock;
	int64_t idle_us; /* how long entries stay that nobody uses; 0: however long */
	struct table table;
	struct order order;
	struct expiry expiry;
	struct alarms late;  /* of entries that expire and have no tail, by the wall clock */
	struct alarms idle;  /* of all entries, if idle_us > 0, by the order clock */
	int64_t stale_us;    /* how long expired entries stay */
	uint64_t size_bytes; /* sum of the sizes of its entries */
	struct shard_counters counters;
	struct usage *usage; /* of the namespace */
	struct usage *total; /* of the backend: memory_bytes and expiring only */
	/* Of the backend: who is told of changes. Of the namespace: its name. */
	const struct backend_config *config;
	struct slice ns;
	struct noted changes;
	uint32_t hand; /* the bucket at which spilling goes on */
};

void shard_init(struct shard *shard, enum eviction_policy policy, struct usage *usage,
		struct usage *total);
void shard_deinit(struct shard *shard);

/* What time it is: by the clock of the backend, and by that of the order of eviction. */
struct shard_time {
	int64_t now_us, order_us;
};

/* The entry of `key`, live (*ret_stale false) or in its stale time, or NULL. An entry beyond that,
 * or one that was not used for too long, goes to the trash. */
struct entry *shard_find(struct shard *shard, uint64_t hash, struct slice key,
			 struct shard_time time, bool *ret_stale, struct entry **trash);

/* Makes room for what a set of `entries` may need, including `expiring` with a TTL, so that
 * shard_add, shard_overwrite and shard_restored cannot fail. False: out of memory. */
bool shard_prepare(struct shard *shard, size_t entries, size_t expiring);

/* Adds a new entry, with last access and stamp set. Its usage must have been added already (but for
 * `expiring`). True if it is the first of the backend that expires: then wake the sweeper. */
bool shard_add(struct shard *shard, uint64_t hash, struct entry *entry);

/* The same for one that came from the copy of the store (mirror.h), of any history. */
bool shard_adopt(struct shard *shard, uint64_t hash, struct entry *entry);

/* An entry that has got another history since it was added. */
void shard_restored(struct shard *shard, uint64_t hash, const struct entry *entry);

/* Puts `fresh`, with the same key and history, in the place of `entry`, of which it has more or
 * fewer bytes in memory (ENTRY_IS_HEAD), and gives it its times. The caller has added the total's
 * growth, if it grows. False: out of memory, and nothing is done. */
bool shard_exchange(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		    struct entry **trash);

/* Makes room for `entries` that get another expiry. False: out of memory. */
bool shard_prepare_retime(struct shard *shard, size_t entries);
/* Gives an entry another expiry; 0: never. Tells of that. Result: as for shard_add. */
bool shard_retime(struct shard *shard, uint64_t hash, struct entry *entry, int64_t expires_at_us);

/* How long entries stay that nobody uses, from now on. False: out of memory, and nothing is
 * changed. */
bool shard_set_idle(struct shard *shard, int64_t idle_us);

/* Puts `fresh`, with the same key, in the place of `entry`, which is then trash. Counts as a use
 * and keeps the creation. Usage and result: as for shard_add. */
bool shard_overwrite(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		     int64_t now_us, struct entry **trash);

/* The same for an entry in its stale time: `fresh`, with last access and stamp set, starts a new
 * history. */
bool shard_replace(struct shard *shard, uint64_t hash, struct entry *entry, struct entry *fresh,
		   struct entry **trash);

/* Takes all entries out, into `ret`; those who visit the table go on in the empty one. */
void shard_empty(struct shard *shard, struct table *ret, enum eviction_policy policy,
		 struct entry **tombstones);

/* Removes an entry that has expired, tells of that, and subtracts its usage. */
void shard_drop_expired(struct shard *shard, struct entry *entry, struct entry **trash);

/* Tells whoever watches what happens to the entry of `key`, which is still there. */
static inline void shard_tell(const struct shard *shard, enum cache_change_kind kind,
			      struct slice key)
{
	tell_change(shard->config, kind, shard->ns, key);
}

/* Removes an entry and subtracts its usage. The caller tells of it. */
void shard_remove(struct shard *shard, struct entry *entry, struct entry **trash);

/* Removes expired entries whose stale time is over, the earliest first, and those that were not
 * used for too long. Looks at up to `max` that may be; returns at how many: with less than `max`
 * there are no others. */
size_t shard_expire(struct shard *shard, struct shard_time time, size_t max, struct entry **trash);

#endif
