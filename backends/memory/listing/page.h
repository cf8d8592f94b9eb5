/* A page: the answer of one SCAN, while it is filled. The page belongs to the thread that fills
 * it. */
#ifndef STEADYCACHE_MEMORY_PAGE_H
#define STEADYCACHE_MEMORY_PAGE_H

#include "backends/memory/namespace.h"

struct page {
	struct cache_op *op;      /* its entries, entry_count and complete are filled */
	int64_t now_us, order_us; /* the time; and by the clock of the order of eviction */
	int64_t idle_us;          /* how long entries stay that nobody uses; 0: however long */
	const struct order_clock *order_clock;
	size_t capacity;  /* of op->entries */
	size_t key_bytes; /* of the keys in them */
};

/* An empty page for `op`. */
static inline struct page page_of(const struct namespace *ns, struct cache_op *op, int64_t now_us)
{
	return (struct page){
		.op = op,
		.now_us = now_us,
		.order_us = order_clock_at(ns->order_clock, now_us),
		.idle_us = atomic_load(&ns->max_idle_s) * US_PER_S,
		.order_clock = ns->order_clock,
	};
}

/* Whether it has as many entries, or bytes of keys, as the op asks for. */
static inline bool page_is_full(const struct page *page)
{
	const struct cache_op *op = page->op;

	return op->entry_count == op->limit ||
	       (op->max_key_bytes > 0 && page->key_bytes >= op->max_key_bytes);
}

/* Whether the entry is live and its key has the op's prefix. The shard must be locked. */
static inline bool page_may_list(const struct page *page, const struct entry *entry)
{
	return !entry_is_expired(entry, page->now_us) &&
	       !entry_is_idle(entry, page->idle_us, page->order_us) &&
	       slice_starts_with(entry_key(entry), page->op->prefix);
}

/* Makes room for one more entry after the last, and fills it: the key is a copy, to be freed.
 * Neither entry_count nor key_bytes include it yet. The shard must be locked. NULL: out of
 * memory. */
struct cache_entry_info *page_fill_next(struct page *page, struct entry *entry);

/* The same, and counts it. False: out of memory. */
bool page_append(struct page *page, struct entry *entry);

#endif
