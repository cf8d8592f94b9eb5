/* Whether what a set stores fits into its namespace, and how to make room for it. */
#ifndef STEADYCACHE_SQLITE_ADMIT_H
#define STEADYCACHE_SQLITE_ADMIT_H

#include "backends/sqlite/write/applied.h"
#include "backends/sqlite/write/entries.h"

/* What an item counts in the account of its namespace. */
int64_t admit_used_bytes(const struct cache_item *item);

/* Checks the limits and makes room. If all is well: APPLIED with op->status CACHE_OK, and the
 * items may be stored. `entries`: those that the items replace, looked up again if something was
 * removed. */
enum applied admit_set(struct transaction *tx, struct ns_row *row, struct cache_op *op,
		       struct found_entry *entries);

#endif
