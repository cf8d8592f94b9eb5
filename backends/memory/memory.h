/* The memory backend: a sharded hash table of immutable, reference-counted values. */
#ifndef STEADYCACHE_BACKEND_MEMORY_H
#define STEADYCACHE_BACKEND_MEMORY_H

#include "store/backend.h"

extern const struct backend_ops memory_backend_ops;

#endif
