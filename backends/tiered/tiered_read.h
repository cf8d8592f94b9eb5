/* Reads: from the near cache, else from the backend. Operations of backend_ops. */
#ifndef STEADYCACHE_TIERED_TIERED_READ_H
#define STEADYCACHE_TIERED_TIERED_READ_H

#include "store/backend.h"

void tiered_get(struct backend *backend, struct cache_op *op);
void tiered_exists(struct backend *backend, struct cache_op *op);

#endif
