/* Operations whose work grows with the number of entries. They hold a shard's lock for a bounded
 * step at a time, so others hardly wait; but they take long, so on a namespace of more than
 * PASS_INLINE_ENTRIES_MAX entries they run on the worker and not on an event loop's thread. */
#ifndef STEADYCACHE_MEMORY_PASSES_H
#define STEADYCACHE_MEMORY_PASSES_H

#include "backends/memory/namespace.h"

#define PASS_INLINE_ENTRIES_MAX 1000

/* SCAN: fills op->entries and op->complete. */
enum cache_status pass_scan(struct namespace *ns, struct cache_op *op, int64_t now_us);

/* An entry for a listing, with a copy of its key. False: out of memory. */
bool pass_fill_info(struct entry *entry, struct cache_entry_info *ret);

/* CLEAR with a prefix (or without: one entry after the other). */
void pass_clear(struct namespace *ns, struct slice prefix);

/* CONFIGURE: sets what the mask names, threads the orders anew, evicts what no longer fits. */
void pass_configure(struct namespace *ns, const struct cache_op *op, int64_t now_us);

#endif
