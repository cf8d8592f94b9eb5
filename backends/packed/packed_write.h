#ifndef STEADYCACHE_PACKED_PACKED_WRITE_H
#define STEADYCACHE_PACKED_PACKED_WRITE_H

#include "backends/packed/packed_state.h"

/* A SET, whose values are compressed if its namespace wants that. */
void packed_set(struct backend *backend, struct cache_op *op);

#endif
