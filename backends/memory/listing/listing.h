/* SCAN in byte order: pages of a listing. The essay is in walk.c. */
#ifndef STEADYCACHE_MEMORY_LISTING_H
#define STEADYCACHE_MEMORY_LISTING_H

#include "backends/memory/namespace.h"

/* A page under way. */
struct page {
	struct cache_op *op;
	int64_t now_us;
	const struct order_clock *order_clock;
	size_t capacity;  /* of op->entries */
	size_t key_bytes; /* of the keys in them */
};

/* An entry for a page, with a copy of its key. False: out of memory. */
bool listing_fill_info(const struct page *page, struct entry *entry, struct cache_entry_info *ret);

/* Room for one more entry in the page. False: out of memory. */
bool listing_make_room(struct page *page);

/* Fills op->entries and op->complete by a pass over all entries. */
enum cache_status listing_pass(struct namespace *ns, struct cache_op *op, int64_t now_us);

#endif
