/* A page of a listing by one visit of all entries: the `limit` smallest keys after a given one
 * are collected in a heap with the largest on top, which the next smaller key replaces. That
 * takes at most n log limit comparisons, and memory for the answer only, also in bytes if
 * op->max_key_bytes says so. There is no sorted index: it would cost every entry more than the
 * rare listing is worth. */
#include "backends/memory/listing/listing.h"

#include <stdlib.h>

#include "backends/memory/listing/page.h"
#include "backends/memory/visit.h"

static void free_key(const struct cache_entry_info *info)
{
	free((void *)(uintptr_t)info->key.data);
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

/* Drops the largest as long as the others fill a page. */
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

	(void)shard;
	(void)trash;
	if (!page_may_list(page, entry) || (op->has_after && slice_compare(key, op->after) <= 0))
		return true;
	if (page_is_full(page) && slice_compare(key, op->entries[0].key) > 0) {
		op->complete = false;
		return true;
	}
	const struct cache_entry_info *info = page_fill_next(page, entry);
	if (!info)
		return false;
	page->key_bytes += key.len;
	sift_up(op->entries, op->entry_count++, *info);
	let_go(page);
	return true;
}

enum cache_status listing_page(struct namespace *ns, struct cache_op *op, int64_t now_us)
{
	struct page page = page_of(ns, op, now_us);
	struct visitor visitor = {.visit = list_entry, .context = &page};

	op->complete = true;
	if (!visit_entries(ns, &visitor))
		return CACHE_NO_MEMORY;
	/* The second half of heap sort: the largest to the end, one after the other. */
	for (size_t end = op->entry_count; end > 1; end--) {
		struct cache_entry_info last = op->entries[end - 1];

		op->entries[end - 1] = op->entries[0];
		sift_down(op->entries, end - 1, last);
	}
	return CACHE_OK;
}
