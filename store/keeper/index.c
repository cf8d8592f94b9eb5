#include "store/keeper/index.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/invariant.h"

bool keeper_index_init(struct keeper_index *index)
{
	*index = (struct keeper_index){0};
	if (getentropy(&index->buckets.seed, sizeof(index->buckets.seed)) != 0)
		index->buckets.seed = (uint64_t)monotonic_now_ns();
	return keeper_buckets_prepare(&index->buckets);
}

void keeper_index_deinit(struct keeper_index *index)
{
	struct keeper_entry *entry = index->first[0];

	while (entry) {
		struct keeper_entry *next = entry->next[0];

		free(entry);
		entry = next;
	}
	keeper_buckets_deinit(&index->buckets);
}

struct keeper_entry *keeper_index_find(const struct keeper_index *index, struct slice key)
{
	return keeper_buckets_find(&index->buckets, key);
}

/* The links of one level, of an entry or of the index itself. */
typedef struct keeper_entry *const *links;

struct keeper_entry *keeper_index_from(const struct keeper_index *index, struct slice key)
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

/* Finds the links that lead to the first entry that is not before `key`, of each level. */
static void seek_links(struct keeper_index *index, struct slice key,
		       struct keeper_entry **ret[static ENTRY_LEVELS_MAX])
{
	struct keeper_entry **row = index->first;
	const struct keeper_entry *passed = NULL;

	for (unsigned level = ENTRY_LEVELS_MAX; level-- > 0;) {
		while (row[level] && row[level] != passed &&
		       slice_compare(keeper_entry_key(row[level]), key) < 0)
			row = row[level]->next;
		passed = row[level];
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
	keeper_buckets_add(&index->buckets, entry);
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
	keeper_buckets_remove(&index->buckets, entry);
	index->count--;
}

void keeper_index_replace(struct keeper_index *index, struct keeper_entry *old,
			  struct keeper_entry *fresh)
{
	struct keeper_entry **at[ENTRY_LEVELS_MAX];

	if (fresh->levels != old->levels) { /* it was made for another one */
		keeper_index_remove(index, old);
		keeper_index_add(index, fresh);
		return;
	}
	seek_links(index, keeper_entry_key(old), at);
	for (unsigned level = 0; level < old->levels; level++) {
		INVARIANT(*at[level] == old);
		fresh->next[level] = old->next[level];
		*at[level] = fresh;
	}
	keeper_buckets_remove(&index->buckets, old);
	keeper_buckets_add(&index->buckets, fresh);
}
