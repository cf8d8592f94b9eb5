/* SET through the layer: an operation of backend_ops. */
#ifndef STEADYCACHE_LARGE_LAYER_WRITE_H
#define STEADYCACHE_LARGE_LAYER_WRITE_H

#include "store/backend.h"

void layer_write_set(struct backend *backend, struct cache_op *op);

#endif
