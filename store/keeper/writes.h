/* SET and DELETE: steps of the write under way, all of them or none. With the gate held for
 * writing.
 */
#ifndef STEADYCACHE_KEEPER_WRITES_H
#define STEADYCACHE_KEEPER_WRITES_H

#include "store/keeper/keeper_state.h"

/* What the op as a whole comes to if the commit succeeds; the items have their answers. Of an op
 * that fails no step is left, but for what had expired. */
enum cache_status keeper_writes_set(struct keeper *keeper, struct cache_op *op, int64_t now_us);
enum cache_status keeper_writes_delete(struct keeper *keeper, struct cache_op *op, int64_t now_us);

#endif
