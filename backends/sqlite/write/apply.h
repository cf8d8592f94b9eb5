/* What each operation but a set does to the tables, inside the transaction of its group. One that
 * is refused has changed nothing. */
#ifndef STEADYCACHE_SQLITE_APPLY_H
#define STEADYCACHE_SQLITE_APPLY_H

#include "backends/sqlite/write/applied.h"

/* Runs any operation that writes. */
enum applied apply_op(struct transaction *tx, struct cache_op *op);

#endif
