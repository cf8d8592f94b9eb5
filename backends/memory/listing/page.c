#include "backends/memory/listing/page.h"

#include <stdlib.h>

#include "base/array.h"

static bool fill_info(const struct page *page, struct entry *entry, struct cache_entry_info *ret)
{
	struct slice key = entry_key(entry);
	char *copy = malloc(key.len ? key.len : 1);

	if (!copy)
		return false;
	if (key.len > 0)
		memcpy(copy, key.data, key.len);
	*ret = (struct cache_entry_info){
		.key = {.data = copy, .len = key.len},
		.size_bytes = entry_size_bytes(entry),
		.etag = entry_value(entry)->etag,
		.frequency = entry->order.frequency,
		.last_access_us = order_clock_to_wall(page->order_clock,
						      entry->order.last_access_us, page->now_us),
		.created_at_us = order_clock_to_wall(page->order_clock, entry_created_at_us(entry),
						     page->now_us),
		.expires_at_us = entry_value(entry)->expires_at_us,
		.modified_at_us = entry_value(entry)->modified_at_us,
		.flags = entry_value(entry)->flags & CACHE_VALUE_STORED,
	};
	return true;
}

struct cache_entry_info *page_fill_next(struct page *page, struct entry *entry)
{
	struct cache_op *op = page->op;
	struct cache_entry_info *entries =
		array_with_room(op->entries, op->entry_count, &page->capacity, sizeof(*entries));

	if (!entries)
		return NULL;
	op->entries = entries;
	return fill_info(page, entry, &entries[op->entry_count]) ? &entries[op->entry_count] : NULL;
}

bool page_append(struct page *page, struct entry *entry)
{
	const struct cache_entry_info *info = page_fill_next(page, entry);

	if (!info)
		return false;
	page->op->entry_count++;
	page->key_bytes += info->key.len;
	return true;
}
