/* Values in memory by scope and key, under a limit of bytes: a hash table and a queue of entries
 * from old to new. One table, without a lock and without a rule about when an entry is true: its
 * owner has both, and usually several tables (shards), each with a lock.
 *
 * The owner chooses what a hit does:
 * - value_cache_spare: SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024). A hand walks
 *   from old to new and spares, once, each entry that was hit since its last visit. A hit writes
 *   one flag, and a scan passes through without displacing hot entries.
 * - value_cache_renew: LRU. The entry becomes the newest.
 *
 * Invariants: `used_bytes` is the sum of what the entries cost and never exceeds `max_bytes`; every
 * entry is in the queue once and in the bucket of its place.
 *
 * A value is shared, not copied: an entry has its own reference. */
#ifndef STEADYCACHE_BASE_VALUE_CACHE_H
#define STEADYCACHE_BASE_VALUE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/value.h"

/* Identifies an entry; both slices are borrowed. `place` is a hash of the two: its low bits choose
 * the bucket, its high ones are free to choose a table. */
struct value_cache_key {
	uint64_t place;
	struct slice scope, key;
};

struct value_cache_entry {
	struct value_cache_entry *chain; /* next of its bucket */
	struct value_cache_entry *newer, *older;
	struct cache_value *value;
	uint64_t place;
	int64_t mark;   /* the owner's */
	uint32_t epoch; /* the owner's, 0 when it is added */
	uint32_t key_len;
	uint16_t scope_len;
	bool was_hit;
	char names[]; /* scope, then key */
};

struct value_cache {
	struct value_cache_entry **buckets; /* NULL until first used; their number is a power of
					     * two */
	size_t bucket_count, entry_count, used_bytes;
	size_t max_bytes, entry_max_bytes;
	struct value_cache_entry *newest, *oldest, *hand;
	uint64_t evictions;
};

/* Makes an empty cache, with nothing allocated. `max_bytes` limits everything that entries take,
 * including the allocator's part; an entry that takes more than `entry_max_bytes` (at most
 * max_bytes) is not kept. */
void value_cache_init(struct value_cache *cache, size_t max_bytes, size_t entry_max_bytes);

/* Removes all entries and frees everything; the table may still be used. A zeroed one is
 * allowed. */
void value_cache_clear(struct value_cache *cache);

/* NULL: not there. Valid until the table changes. */
struct value_cache_entry *value_cache_find(const struct value_cache *cache,
					   const struct value_cache_key *key);

/* Adds an entry, which must not be there yet and becomes the newest, with `mark`; evicts others for
 * it. False: it is too large, or out of memory; the table is unchanged, or has fewer entries. */
bool value_cache_add(struct value_cache *cache, const struct value_cache_key *key,
		     struct cache_value *value, int64_t mark);

/* Gives an entry another value and mark; it keeps its place in the queue. If it takes more,
 * others are evicted, and at worst the entry itself. False: the value is too large, and nothing
 * is done. */
bool value_cache_replace(struct value_cache *cache, struct value_cache_entry *entry,
			 struct cache_value *value, int64_t mark);

void value_cache_remove(struct value_cache *cache, struct value_cache_entry *entry);

/* Removes all entries of a scope and place, because keys may share them. */
void value_cache_forget(struct value_cache *cache, uint64_t place, struct slice scope);

/* A hit, under LRU. */
void value_cache_renew(struct value_cache *cache, struct value_cache_entry *entry);

/* A hit, under SIEVE. */
static inline void value_cache_spare(struct value_cache_entry *entry)
{
	entry->was_hit = true;
}

static inline struct slice value_cache_scope_of(const struct value_cache_entry *entry)
{
	return (struct slice){.data = entry->names, .len = entry->scope_len};
}

static inline struct slice value_cache_key_of(const struct value_cache_entry *entry)
{
	return (struct slice){.data = entry->names + entry->scope_len, .len = entry->key_len};
}

#endif
