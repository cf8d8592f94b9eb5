/* The driver hash behind a slow disk: the keeper calls it from its own threads. */
#ifndef STEADYCACHE_TEST_DRIVER_SLOW_H
#define STEADYCACHE_TEST_DRIVER_SLOW_H

#include "store/backend.h"

extern const struct backend_ops slow_backend_ops;

#endif
