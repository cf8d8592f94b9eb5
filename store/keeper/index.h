/* The entries of a namespace, by key and in byte order of their keys: a hash table finds an entry,
 * and a skip list (Pugh, 1990) has the order of listings.
 *
 * Invariants: both have the same entries; keys increase strictly along each level of the list, and
 * the entries of a level are among those of the level below.
 *
 * Threads: changes are made alone; look-ups may run at the same time. */
#ifndef STEADYCACHE_KEEPER_INDEX_H
#define STEADYCACHE_KEEPER_INDEX_H

#include "store/keeper/buckets.h"
#include "store/keeper/entry.h"

struct keeper_index {
	struct keeper_buckets buckets;
	struct keeper_entry *first[ENTRY_LEVELS_MAX];
	uint64_t count;
};

/* Makes an empty index. False: out of memory. */
bool keeper_index_init(struct keeper_index *index);
/* Frees it and its entries. */
void keeper_index_deinit(struct keeper_index *index);

/* NULL: no such entry. */
struct keeper_entry *keeper_index_find(const struct keeper_index *index, struct slice key);

/* The first entry whose key is `key` or after it; NULL: none. The next ones follow
 * entry->next[0]. */
struct keeper_entry *keeper_index_from(const struct keeper_index *index, struct slice key);

/* Adds an entry whose key is not in the index. */
void keeper_index_add(struct keeper_index *index, struct keeper_entry *entry);

/* Puts `fresh`, of the same key, in the place of `old`. */
void keeper_index_replace(struct keeper_index *index, struct keeper_entry *old,
			  struct keeper_entry *fresh);

/* Removes an entry that is in the index. */
void keeper_index_remove(struct keeper_index *index, struct keeper_entry *entry);

#endif
