/* EXPIRE: entries get another time to live. */
#ifndef STEADYCACHE_KEEPER_EXPIRE_H
#define STEADYCACHE_KEEPER_EXPIRE_H

#include "store/keeper/keeper_state.h"

/* Does all items of the op, or none, as a write of its own: what the driver has of them is read, as
 * a driver promises to keep a head only together with its body (DRIVER_PUT). Returns the op's
 * status; the caller completes it. */
enum cache_status keeper_expire_run(struct keeper *keeper, struct cache_op *op, int64_t now_us);

#endif
