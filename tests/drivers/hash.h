/* The reference driver: records in a hash table of this process. A *medium* outlives a close: there
 * is one for each data_dir, as long as the process lives. */
#ifndef STEADYCACHE_TEST_DRIVER_HASH_H
#define STEADYCACHE_TEST_DRIVER_HASH_H

#include "steadycache/driver.h"
#include "store/backend.h"

extern const struct driver_ops hash_driver_ops;
extern const struct backend_ops hash_backend_ops;

#endif
