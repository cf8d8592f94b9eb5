/* The hash table of a shard: linear hashing, with buckets of one cache line.
 *
 * A table that doubles has a moment in which everything moves, or two tables for as long as the
 * move takes. Linear hashing (Litwin 1980) has neither: the table grows by one bucket at a time, by
 * splitting the next bucket in turn. With 2^k <= n < 2^(k+1) buckets, the buckets below n - 2^k and
 * from 2^k on are addressed with k + 1 bits of the hash, the others with k bits. So an insert moves
 * about one entry, and the table is always as large as its load needs. It shrinks the same way.
 *
 * A bucket has eight slots. A slot has the address of an entry, and, in the 16 bits that addresses
 * of user space do not use, 16 bits of the hash. So a look-up waits for only two lines of memory:
 * the bucket, and the entry that it looks for; one time in ten thousand it visits a wrong one.
 *
 * In a bucket that overflows the last slot has the address of another bucket instead. With
 * TABLE_LOAD entries a bucket, at most a tenth of the entries are in such buckets.
 *
 * The entries of a bucket have no gaps between them: an addition goes to the end, and on a removal
 * the last takes the place of the removed one.
 *
 * The buckets are in segments whose sizes double, so that no bucket ever moves. A large segment is
 * fresh zero pages from the kernel, of which only those in use take memory.
 *
 * Entries do not store their hash: a split computes those of one bucket again, which costs less
 * than four bytes in every entry. */
#ifndef STEADYCACHE_MEMORY_TABLE_H
#define STEADYCACHE_MEMORY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/memory/entry.h"

#define TABLE_SEGMENTS 26
#define TABLE_SLOTS    8
/* Entries per bucket above which the table grows. */
#define TABLE_LOAD 6

struct table_bucket {
	uint64_t slots[TABLE_SLOTS];
};

/* A zeroed one is empty and valid. */
struct table {
	void *segments[TABLE_SEGMENTS];
	size_t entry_count;
	uint32_t bucket_count;
	/* While > 0 the number of buckets stays the same, so that a visit that releases the lock
	 * between steps meets every entry that stays exactly once. */
	uint32_t visits;
	/* For overflow; linked by their first slot. */
	struct table_bucket *spares;
	size_t spare_count;
};

/* Frees all entries and the segments; the table is then empty. */
void table_deinit(struct table *table);

/* Allocates the first segment. False: out of memory. */
bool table_prepare(struct table *table);

/* Makes room for `hash` in a table that will get `extra` more; call it for each of them before the
 * first table_add, which then cannot fail. The table must be prepared. False: out of memory. */
bool table_reserve(struct table *table, uint64_t hash, size_t extra);

/* NULL if there is none. */
struct entry *table_find(const struct table *table, uint64_t hash, struct slice key);

/* The first entry after `after` (NULL: of all) whose key has that hash; NULL: no other. */
struct entry *table_find_by_hash(const struct table *table, uint64_t hash,
				 const struct entry *after);

/* `entry` must not be there yet; there must be room for it (table_reserve). If there is no memory
 * for growth, the buckets get fuller instead. */
void table_add(struct table *table, uint64_t hash, struct entry *entry);

/* Removes `entry`, which must be there. */
void table_remove(struct table *table, uint64_t hash, struct entry *entry);

/* Puts `fresh` (with the same key) in the place of `entry`. */
void table_swap(struct table *table, uint64_t hash, struct entry *entry, struct entry *fresh);

/* The bucket for `hash` in a table that is not empty, and in *ret_bits how many of the low bits of
 * a hash lead to it. */
uint32_t table_index(const struct table *table, uint64_t hash, unsigned *ret_bits);

/* The entry at `position` of bucket `index` < bucket_count, NULL after its last. */
struct entry *table_at(const struct table *table, uint32_t index, size_t position);

/* Prefetches the keys of bucket `index`, if there is such a bucket. */
void table_prefetch(const struct table *table, uint32_t index);

#endif
