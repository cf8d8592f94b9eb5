/* Memory and sqlite behind one (backends/routed): the namespace "n", which most tests use, is in
 * memory, all others in the database. */
#ifndef STEADYCACHE_TEST_DRIVER_SPREAD_H
#define STEADYCACHE_TEST_DRIVER_SPREAD_H

#include "store/backend.h"

extern const struct backend_ops spread_backend_ops;

#endif
