/* Writes, of which the near cache is told. Operations of backend_ops. */
#ifndef STEADYCACHE_TIERED_TIERED_WRITE_H
#define STEADYCACHE_TIERED_TIERED_WRITE_H

#include "store/backend.h"

/* SET, DELETE and EXPIRE. */
void tiered_write(struct backend *backend, struct cache_op *op);
/* CLEAR; and CONFIGURE, which may evict. */
void tiered_clear(struct backend *backend, struct cache_op *op);

#endif
