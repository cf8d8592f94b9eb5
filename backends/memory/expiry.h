/* Which entry of a shard expires next: a binary heap of those that expire at all. An entry without
 * a TTL is not in it and pays nothing; one with a TTL knows its place (entry_tail), so that an
 * overwrite takes log n. All functions: with the shard's lock held. */
#ifndef STEADYCACHE_MEMORY_EXPIRY_H
#define STEADYCACHE_MEMORY_EXPIRY_H

#include "backends/memory/entry.h"

/* The time stands beside the pointer, so that a comparison need not visit entry and value. */
struct expiry_node {
	int64_t expires_at_us;
	struct entry *entry;
};

/* Zeroed is empty and valid. */
struct expiry {
	struct expiry_node *nodes;
	size_t count, capacity;
};

void expiry_deinit(struct expiry *expiry);

/* Room for `extra` more, after which as many expiry_add cannot fail, whatever is removed meanwhile;
 * until expiry_trim. False: out of memory. */
bool expiry_reserve(struct expiry *expiry, size_t extra);

/* `entry` has a tail and a value that expires, and is not in the heap. */
void expiry_add(struct expiry *expiry, struct entry *entry);
void expiry_remove(struct expiry *expiry, struct entry *entry);

/* Gives some of the room back where much of it is idle, also what was reserved. */
void expiry_trim(struct expiry *expiry);

/* The entry that expires first, if it has expired by `now_us`; else NULL. */
struct entry *expiry_due(const struct expiry *expiry, int64_t now_us);

#endif
