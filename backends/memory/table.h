/* The hash table of a shard: linear hashing, with buckets of one cache line.
 *
 * A table that doubles has a moment in which everything is moved, or two tables for as long as the
 * move takes. Linear hashing (Litwin 1980) has neither: the table grows by one bucket at a time, by
 * splitting the next bucket in turn. With 2^k <= n < 2^(k+1) buckets, the buckets below n - 2^k
 * and from 2^k on are addressed with k + 1 bits of the hash, the others with k bits. So an insert
 * moves about one entry, and the table is always as large as its load asks for. It shrinks the
 * same way.
 *
 * A bucket has eight slots. A slot holds the address of an entry, and in the 16 bits that addresses
 * of user space do not use, 16 bits of the hash. So a look-up waits for two lines of memory only:
 * the bucket, and the entry that it looks for; one time in ten thousand it visits a wrong one.
 *
 * In a bucket that overflows the last slot holds the address of another bucket instead. With
 * TABLE_LOAD entries a bucket a tenth of the entries, or less, stands in such.
 *
 * The entries of a bucket stand one after the other without gaps: an addition goes to the end, and
 * on a removal the last takes the place of the one that goes.
 *
 * The buckets lie in segments whose sizes double, so that no bucket ever moves. A large segment is
 * fresh zero pages from the kernel, of which only those in use take memory.
 *
 * Entries do not keep their hash: a split computes those of one bucket anew, which costs less than
 * four bytes in every entry. */
#ifndef STEADYCACHE_MEMORY_TABLE_H
#define STEADYCACHE_MEMORY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/memory/entry.h"

#define TABLE_SEGMENTS 26
#define TABLE_SLOTS    8
/* Entries per bucket from which the table grows. */
#define TABLE_LOAD 6

struct table_bucket {
	uint64_t slots[TABLE_SLOTS];
};

/* Zeroed is empty and valid. */
struct table {
	void *segments[TABLE_SEGMENTS];
	size_t entry_count;
	uint32_t bucket_count;
	/* While > 0 the number of buckets stays, so that a visit of them that lets go of the lock
	 * between steps meets every entry that stays exactly once. */
	uint32_t visits;
	/* For overflow; linked by their first slot. */
	struct table_bucket *spares;
	size_t spare_count;
};

/* Frees all entries and the segments; the table is empty then. */
void table_deinit(struct table *table);

/* Allocates the first segment. False: out of memory. */
bool table_prepare(struct table *table);

/* Room for `hash` in a table that is to get `extra` more; to be called for each of them before the
 * first table_add, which cannot fail then. The table is prepared. False: out of memory. */
bool table_reserve(struct table *table, uint64_t hash, size_t extra);

/* NULL where there is none. */
struct entry *table_find(const struct table *table, uint64_t hash, struct slice key);

/* `entry` is not there yet; there is room for it (table_reserve). Where memory for growth lacks the
 * buckets get fuller instead. */
void table_add(struct table *table, uint64_t hash, struct entry *entry);

/* Takes `entry`, which is there, out. */
void table_remove(struct table *table, uint64_t hash, struct entry *entry);

/* Puts `fresh` (with the same key) in the place of `entry`. */
void table_swap(struct table *table, uint64_t hash, struct entry *entry, struct entry *fresh);

/* The bucket for `hash` in a table that is not empty, and in *ret_bits how many of the low bits of
 * a hash lead to it. */
uint32_t table_index(const struct table *table, uint64_t hash, unsigned *ret_bits);

/* The entry at `position` of bucket `index` < bucket_count, NULL behind its last. */
struct entry *table_at(const struct table *table, uint32_t index, size_t position);

/* Lets the keys of bucket `index` come from memory, where there is such a bucket. */
void table_prefetch(const struct table *table, uint32_t index);

#endif
