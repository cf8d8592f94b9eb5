/* A page of a listing in one pass: the `limit` smallest keys behind a given one are collected in a
 * heap with the largest on top, which the next smaller key replaces: n log limit comparisons at
 * worst, and memory for the answer only, in bytes too where op->max_key_bytes says so. There is no
 * sorted index: it would cost every entry more than the rare listing is worth. */
#include "backends/memory/listing.h"

#include <stdlib.h>

#include "backends/memory/passes.h"
#include "base/array.h"

static void free_key(const struct cache_entry_info *info)
{
	free((void *)(uintptr_t)info->key.data);
}

bool listing_fill_info(const struct page *page, struct entry *entry, struct cache_entry_info *ret)
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
	};
	return true;
}

static bool sorts_after(const struct cache_entry_info *a, const struct cache_entry_info *b)
{
	return slice_compare(a->key, b->key) > 0;
}

static void sift_down(struct cache_entry_info *heap, size_t count, struct cache_entry_info info)
{
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < count && sorts_after(&heap[child + 1], &heap[child]))
			child++;
		if (child >= count || !sorts_after(&heap[child], &info))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = info;
}

static void sift_up(struct cache_entry_info *heap, size_t at, struct cache_entry_info info)
{
	for (; at > 0 && sorts_after(&info, &heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = info;
}

bool listing_make_room(struct page *page)
{
	struct cache_op *op = page->op;
	struct cache_entry_info *entries =
		array_with_room(op->entries, op->entry_count, &page->capacity, sizeof(*entries));

	if (entries)
		op->entries = entries;
	return entries != NULL;
}

/* Lets the largest go as long as the others are as much as a page may have, or more. */
static void let_go(struct page *page)
{
	struct cache_op *op = page->op;

	while (op->entry_count > op->limit ||
	       (op->max_key_bytes > 0 && op->entry_count > 1 &&
		page->key_bytes - op->entries[0].key.len >= op->max_key_bytes)) {
		page->key_bytes -= op->entries[0].key.len;
		free_key(&op->entries[0]);
		op->entry_count--;
		sift_down(op->entries, op->entry_count, op->entries[op->entry_count]);
		op->complete = false;
	}
}

/* Collects the entry if it is among the smallest so far; false: out of memory. */
static bool list_entry(void *context, struct shard *shard, struct entry *entry,
		       struct entry **trash)
{
	struct page *page = context;
	struct cache_op *op = page->op;
	struct slice key = entry_key(entry);
	struct cache_entry_info info;
	bool is_full = op->entry_count == op->limit ||
		       (op->max_key_bytes > 0 && page->key_bytes >= op->max_key_bytes);

	(void)shard;
	(void)trash;
	if (entry_is_expired(entry, page->now_us) || !slice_starts_with(key, op->prefix) ||
	    (op->has_after && slice_compare(key, op->after) <= 0))
		return true;
	if (is_full && slice_compare(key, op->entries[0].key) > 0) {
		op->complete = false;
		return true;
	}
	if (!listing_make_room(page) || !listing_fill_info(page, entry, &info))
		return false;
	page->key_bytes += key.len;
	sift_up(op->entries, op->entry_count++, info);
	let_go(page);
	return true;
}

enum cache_status listing_pass(struct namespace *ns, struct cache_op *op, int64_t now_us)
{
	struct page page = {.op = op, .now_us = now_us, .order_clock = ns->order_clock};
	struct visitor visitor = {.visit = list_entry, .context = &page};

	op->complete = true;
	if (!pass_visit(ns, &visitor))
		return CACHE_NO_MEMORY;
	/* The second half of heap sort: the largest to the end, one after the other. */
	for (size_t end = op->entry_count; end > 1; end--) {
		struct cache_entry_info last = op->entries[end - 1];

		op->entries[end - 1] = op->entries[0];
		sift_down(op->entries, end - 1, last);
	}
	return CACHE_OK;
}
