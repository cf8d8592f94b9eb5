/* An operation that all of the backends are asked at once. It waits for the slowest; each has its
 * own time-out, and CHECK a short one, since a probe that waits is a probe that fails. */
#ifndef STEADYCACHE_ROUTED_FAN_H
#define STEADYCACHE_ROUTED_FAN_H

#include "store/backend.h"

/* STATS of all namespaces, SYNC, CHECK. Of `backend` of routed.h. */
void fan_submit(struct backend *backend, struct cache_op *op);

#endif
