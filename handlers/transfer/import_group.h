/* Groups of entries that an import stores together. */
#ifndef STEADYCACHE_HANDLERS_IMPORT_GROUP_H
#define STEADYCACHE_HANDLERS_IMPORT_GROUP_H

#include "handlers/transfer/import_entry.h"
#include "store/merge.h"

#define GROUP_ENTRIES 256
#define GROUP_BYTES   ((uint64_t)1 << 20)

/* What the store has for the key of an entry. */
struct import_present {
	bool is_kept; /* it stays: the entry of the import is left out */
	bool exists;
	struct etag etag; /* if it exists */
};

/* Entries of one namespace that one operation stores, with distinct keys. */
struct import_group {
	struct import_entry entries[GROUP_ENTRIES];
	struct import_present present[GROUP_ENTRIES]; /* after a look, until it is cleared */
	bool is_looked_up;
	struct cache_item items[GROUP_ENTRIES];
	uint64_t hashes[GROUP_ENTRIES]; /* of the keys */
	size_t count;
	uint64_t bytes;
};

/* Adds `entry` to a group of up to `max_count` entries (0: GROUP_ENTRIES). False: it does not
 * belong to the group, or there is no room. */
bool import_group_add(struct import_group *group, struct import_entry *entry, size_t max_count);
/* Fills `op` with a look at what the store has for the keys of `count` entries from `first` on. */
void import_group_look(struct import_group *group, struct cache_op *op, size_t first, size_t count,
		       enum merge_policy existing);
/* Notes what such an op has found. */
void import_group_note(struct import_group *group, const struct cache_op *op, size_t first,
		       enum merge_policy existing);
/* Fills `op` with a SET of `count` entries from `first` on; with a look before, of one, on the
 * condition that nothing has changed since. */
void import_group_set(struct import_group *group, struct cache_op *op, size_t first, size_t count);
void import_group_clear(struct import_group *group);

#endif
