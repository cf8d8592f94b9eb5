#include "store/keeper/index.h"

#include "base/invariant.h"

/* The links of one level, of an entry or of the index itself. */
typedef struct keeper_entry *const *links;

static struct keeper_entry *seek(const struct keeper_index *index, struct slice key)
{
	links row = index->first;
	const struct keeper_entry *passed = NULL; /* its key was compared and is not before */

	for (unsigned level = ENTRY_LEVELS_MAX; level-- > 0;) {
		while (row[level] && row[level] != passed &&
		       slice_compare(keeper_entry_key(row[level]), key) < 0)
			row = row[level]->next;
		passed = row[level];
	}
	return row[0];
}

struct keeper_entry *keeper_index_from(const struct keeper_index *index, struct slice key)
{
	return seek(index, key);
}

struct keeper_entry *keeper_index_find(const struct keeper_index *index, struct slice key)
{
	struct keeper_entry *entry = seek(index, key);

	return entry && slice_equal(keeper_entry_key(entry), key) ? entry : NULL;
}

/* Fills in the links that lead to the first entry that is not before `key`, of each level. */
static void seek_links(struct keeper_index *index, struct slice key,
		       struct keeper_entry **ret[static ENTRY_LEVELS_MAX])
{
	struct keeper_entry **row = index->first;

	for (unsigned level = ENTRY_LEVELS_MAX; level-- > 0;) {
		while (row[level] && slice_compare(keeper_entry_key(row[level]), key) < 0)
			row = row[level]->next;
		ret[level] = &row[level];
	}
}

void keeper_index_add(struct keeper_index *index, struct keeper_entry *entry)
{
	struct keeper_entry **at[ENTRY_LEVELS_MAX];

	seek_links(index, keeper_entry_key(entry), at);
	INVARIANT(!*at[0] || !slice_equal(keeper_entry_key(*at[0]), keeper_entry_key(entry)));
	for (unsigned level = 0; level < entry->levels; level++) {
		entry->next[level] = *at[level];
		*at[level] = entry;
	}
	index->count++;
}

void keeper_index_remove(struct keeper_index *index, struct keeper_entry *entry)
{
	struct keeper_entry **at[ENTRY_LEVELS_MAX];

	seek_links(index, keeper_entry_key(entry), at);
	for (unsigned level = 0; level < entry->levels; level++) {
		INVARIANT(*at[level] == entry);
		*at[level] = entry->next[level];
	}
	index->count--;
}
