/* The entries of a namespace in byte order of their keys: a skip list (Pugh, 1990). It is the way
 * to an entry as well as the order of listings, for which a hash table has none.
 *
 * Invariants: keys rise strictly along each level, and the entries of a level are among those of
 * the level below.
 *
 * Threads: changes are made alone; look-ups may be made beside each other. */
#ifndef STEADYCACHE_KEEPER_INDEX_H
#define STEADYCACHE_KEEPER_INDEX_H

#include "store/keeper/entry.h"

/* Zeroed is empty and valid. */
struct keeper_index {
	struct keeper_entry *first[ENTRY_LEVELS_MAX];
	uint64_t count;
};

/* The first entry whose key is `key` or behind it; NULL: none. The next ones follow entry->next[0].
 */
struct keeper_entry *keeper_index_from(const struct keeper_index *index, struct slice key);

/* NULL: there is none. */
struct keeper_entry *keeper_index_find(const struct keeper_index *index, struct slice key);

/* Adds an entry whose key is not in the index. */
void keeper_index_add(struct keeper_index *index, struct keeper_entry *entry);

/* Takes an entry out that is in the index. */
void keeper_index_remove(struct keeper_index *index, struct keeper_entry *entry);

#endif
