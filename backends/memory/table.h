/* The hash table of a shard: linear hashing with chains.
 *
 * A table that doubles has a moment in which everything is moved, or two tables for as long as the
 * move takes. Linear hashing (Litwin 1980) has neither: the table grows by one bucket at a time, by
 * splitting the next bucket in turn. With 2^k <= n < 2^(k+1) buckets, the buckets below n - 2^k
 * and from 2^k on are addressed with k + 1 bits of the hash, the others with k bits. So an insert
 * moves about two entries, and the table is always as large as its load asks for. It shrinks the
 * same way.
 *
 * The buckets lie in segments whose sizes double, so that no bucket ever moves. A large segment is
 * fresh zero pages from the kernel, of which only those in use take memory.
 *
 * Entries do not keep their hash: a split computes two of them anew, which costs less than four
 * bytes in every entry. */
#ifndef STEADYCACHE_MEMORY_TABLE_H
#define STEADYCACHE_MEMORY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/memory/entry.h"

#define TABLE_SEGMENTS 25
/* Entries per bucket from which the table grows. */
#define TABLE_LOAD 1

/* Zeroed is empty and valid. */
struct table {
	struct entry **segments[TABLE_SEGMENTS];
	size_t entry_count;
	uint32_t bucket_count;
	/* While > 0 the number of buckets stays, so that a pass over them that lets go of the lock
	 * between steps meets every entry that stays exactly once. */
	uint32_t passes;
};

/* Frees all entries and the segments; the table is empty then. */
void table_deinit(struct table *table);

/* Allocates the first segment, after which table_add cannot fail. False: out of memory. */
bool table_prepare(struct table *table);

/* NULL where there is none. */
struct entry *table_find(const struct table *table, uint64_t hash, struct slice key);

/* `entry` is not there yet; the table is prepared. Where memory for growth lacks the chains get
 * longer instead. */
void table_add(struct table *table, uint64_t hash, struct entry *entry);

/* Takes `entry`, which is there, out. */
void table_remove(struct table *table, uint64_t hash, struct entry *entry);

/* Puts `fresh` (with the same key) in the place of `entry`. */
void table_swap(struct table *table, uint64_t hash, struct entry *entry, struct entry *fresh);

/* The bucket for `hash` in a table that is not empty, and in *ret_bits how many of the low bits of a
 * hash lead to it. */
uint32_t table_index(const struct table *table, uint64_t hash, unsigned *ret_bits);

/* The chain of bucket `index` < bucket_count. */
struct entry *table_chain(const struct table *table, uint32_t index);

#endif
