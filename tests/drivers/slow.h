/* The driver hash behind a disk that takes its time: the keeper calls it from threads of its own.
 */
#ifndef STEADYCACHE_TEST_DRIVER_SLOW_H
#define STEADYCACHE_TEST_DRIVER_SLOW_H

#include "store/backend.h"

extern const struct backend_ops slow_backend_ops;

#endif
