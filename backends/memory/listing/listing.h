/* SCAN in byte order: one page, by a visit of all entries. walk.h handles the pages that follow
 * it. */
#ifndef STEADYCACHE_MEMORY_LISTING_H
#define STEADYCACHE_MEMORY_LISTING_H

#include "backends/memory/namespace.h"

/* Fills op->entries and op->complete. */
enum cache_status listing_page(struct namespace *ns, struct cache_op *op, int64_t now_us);

#endif
