/* Memory that persists, as backends of the tests' registry: with a short interval, and with hardly
 * any memory, so that nearly every value is in the file only. */
#ifndef STEADYCACHE_TESTS_PERSISTED_H
#define STEADYCACHE_TESTS_PERSISTED_H

#include "store/backend.h"

extern const struct backend_ops persisted_backend_ops;
extern const struct backend_ops spilling_backend_ops;

#endif
