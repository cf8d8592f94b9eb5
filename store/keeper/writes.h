/* SET and DELETE: steps of the write in progress, all of them or none. With the gate held for
 * writing. */
#ifndef STEADYCACHE_KEEPER_WRITES_H
#define STEADYCACHE_KEEPER_WRITES_H

#include "store/keeper/keeper_state.h"

/* Returns the status of the whole op if the commit succeeds; the items have theirs. An op that
 * fails leaves no step, except for the removal of expired entries. */
enum cache_status keeper_writes_set(struct keeper *keeper, struct cache_op *op, int64_t now_us);
enum cache_status keeper_writes_delete(struct keeper *keeper, struct cache_op *op, int64_t now_us);

#endif
