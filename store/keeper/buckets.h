/* Entries by a hash of their key: a table that grows and shrinks by one bucket at a time (linear
 * hashing, Litwin 1980), so that no operation ever waits for all entries to move.
 *
 * Invariant: between half a bucket and one bucket for each entry, unless memory lacked.
 *
 * Threads: changes are made alone; look-ups may be made beside each other. */
#ifndef STEADYCACHE_KEEPER_BUCKETS_H
#define STEADYCACHE_KEEPER_BUCKETS_H

#include "store/keeper/entry.h"

/* Zeroed is empty and valid. Strangers choose keys: with a random `seed` they cannot make keys that
 * collide. It is set before the first entry. */
struct keeper_buckets {
	struct keeper_entry **heads;
	size_t count, capacity; /* of buckets */
	size_t entries;
	uint64_t seed;
};

void keeper_buckets_deinit(struct keeper_buckets *buckets);

/* NULL: there is none. */
struct keeper_entry *keeper_buckets_find(const struct keeper_buckets *buckets, struct slice key);

/* Makes the table ready for its first entry; may be called again. False: out of memory. */
bool keeper_buckets_prepare(struct keeper_buckets *buckets);
/* Adds an entry whose key is not there; the table is prepared. If memory for another bucket lacks,
 * the table stays as it is, and is slower. */
void keeper_buckets_add(struct keeper_buckets *buckets, struct keeper_entry *entry);
/* Takes an entry out that is there. */
void keeper_buckets_remove(struct keeper_buckets *buckets, struct keeper_entry *entry);

#endif
