/* Sets: all items of one are looked up, measured against the limits, given room, and stored. A set
 * that is refused (a condition, a limit) has changed nothing. */
#ifndef STEADYCACHE_SQLITE_SET_H
#define STEADYCACHE_SQLITE_SET_H

#include "backends/sqlite/write/applied.h"

/* Runs a SET in the running transaction. */
enum applied set_apply(struct transaction *tx, struct cache_op *op);

#endif
