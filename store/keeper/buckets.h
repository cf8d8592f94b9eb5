/* Entries by a hash of their key: a table that grows and shrinks by one bucket at a time (linear
 * hashing, Litwin 1980), so that no operation ever waits for all entries to move.
 *
 * Invariant: there are between half a bucket and one bucket per entry, unless memory ran out.
 *
 * Threads: changes are made alone; look-ups may run at the same time. */
#ifndef STEADYCACHE_KEEPER_BUCKETS_H
#define STEADYCACHE_KEEPER_BUCKETS_H

#include "store/keeper/entry.h"

/* A zeroed one is empty and valid. Strangers choose keys: a random `seed`, set before the first
 * entry, keeps them from making keys that collide. */
struct keeper_buckets {
	struct keeper_entry **heads;
	size_t count, capacity; /* of buckets */
	size_t entries;
	uint64_t seed;
};

void keeper_buckets_deinit(struct keeper_buckets *buckets);

/* NULL: no such entry. */
struct keeper_entry *keeper_buckets_find(const struct keeper_buckets *buckets, struct slice key);

/* Makes the table ready for its first entry; may be called again. False: out of memory. */
bool keeper_buckets_prepare(struct keeper_buckets *buckets);
/* Adds an entry whose key is not in the table, which is prepared. If there is no memory for another
 * bucket, the table stays as it is, and gets slower. */
void keeper_buckets_add(struct keeper_buckets *buckets, struct keeper_entry *entry);
/* Removes an entry that is in the table. */
void keeper_buckets_remove(struct keeper_buckets *buckets, struct keeper_entry *entry);

#endif
