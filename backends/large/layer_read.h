/* GET through the layer: an operation of backend_ops. */
#ifndef STEADYCACHE_LARGE_LAYER_READ_H
#define STEADYCACHE_LARGE_LAYER_READ_H

#include "store/backend.h"

void layer_read_get(struct backend *backend, struct cache_op *op);

#endif
