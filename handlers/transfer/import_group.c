#include "handlers/transfer/import_group.h"

/* FNV-1a: only to compare few keys with few. */
static uint64_t hash_of(struct slice key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static bool has_key(const struct import_group *group, struct slice key, uint64_t hash)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->hashes[i] == hash && slice_equal(group->entries[i].item.key, key))
			return true;
	return false;
}

bool import_group_add(struct import_group *group, struct import_entry *entry, size_t max_count)
{
	uint64_t bytes = cache_value_whole_len(entry->item.value);
	uint64_t hash = hash_of(entry->item.key);

	if (group->count == GROUP_ENTRIES || (max_count > 0 && group->count >= max_count) ||
	    (group->count > 0 && bytes > GROUP_BYTES) ||
	    (group->count > 0 && group->bytes + bytes > GROUP_BYTES) ||
	    (group->count > 0 && strcmp(group->entries[0].ns, entry->ns) != 0) ||
	    has_key(group, entry->item.key, hash))
		return false;
	group->hashes[group->count] = hash;
	group->entries[group->count++] = *entry;
	group->bytes += bytes;
	entry->item = (struct cache_item){0};
	return true;
}

void import_group_set(struct import_group *group, struct cache_op *op, size_t first, size_t count)
{
	cache_op_init(op, CACHE_OP_SET);
	op->ns = slice_of(group->entries[first].ns);
	for (size_t i = 0; i < count; i++) {
		group->items[i] = group->entries[first + i].item;
		group->items[i].history = &group->entries[first + i].history;
	}
	if (count == 1)
		op->one = group->items[0];
	else
		op->items = group->items;
	op->item_count = count;
	if (count == 1 && group->is_looked_up) {
		const struct import_present *present = &group->present[first];

		op->one.condition.kind = present->exists ? CONDITION_MATCH : CONDITION_ABSENT;
		op->one.condition.etags = &present->etag;
		op->one.condition.etag_count = present->exists;
	}
}

/* Values that are read to see how old they are, bytes; more are read one by one. */
#define LOOKED_BYTES (UINT64_C(16) << 20)

void import_group_look(struct import_group *group, struct cache_op *op, size_t first, size_t count,
		       enum merge_policy existing)
{
	cache_op_init(op, existing == MERGE_KEEP ? CACHE_OP_EXISTS : CACHE_OP_GET);
	op->ns = slice_of(group->entries[first].ns);
	op->no_touch = true;
	op->takes_references = true;
	op->takes_encoded = true; /* for its time and its ETag, not for its bytes */
	for (size_t i = 0; i < count; i++)
		group->items[i] = (struct cache_item){.key = group->entries[first + i].item.key};
	if (count > 1) {
		op->items = group->items;
		op->max_value_bytes = LOOKED_BYTES;
	} else {
		op->one = group->items[0];
	}
	op->item_count = count;
}

void import_group_note(struct import_group *group, const struct cache_op *op, size_t first,
		       enum merge_policy existing)
{
	group->is_looked_up = true;
	for (size_t i = 0; i < op->item_count; i++) {
		const struct cache_item *item = &op->items[i];
		struct import_present *present = &group->present[first + i];

		present->exists = item->status == CACHE_OK;
		present->is_kept = present->exists;
		if (!item->value)
			continue;
		present->etag = item->value->etag;
		struct cache_item coming = group->entries[first + i].item;

		coming.history = &group->entries[first + i].history;
		present->is_kept = merge_keeps(existing, item->value, &coming,
					       group->entries[first + i].modified_at_us);
	}
}

void import_group_clear(struct import_group *group)
{
	for (size_t i = 0; i < group->count; i++)
		import_entry_deinit(&group->entries[i]);
	group->count = 0;
	group->bytes = 0;
	group->is_looked_up = false;
}
