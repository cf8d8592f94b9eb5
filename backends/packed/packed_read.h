#ifndef STEADYCACHE_PACKED_PACKED_READ_H
#define STEADYCACHE_PACKED_PACKED_READ_H

#include "backends/packed/packed_state.h"

/* A GET, whose values are decoded unless the op takes them as they are kept. */
void packed_get(struct backend *backend, struct cache_op *op);

#endif
