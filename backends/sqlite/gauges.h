/* What the SQLite backend reports of itself besides the statistics of its namespaces. */
#ifndef STEADYCACHE_SQLITE_GAUGES_H
#define STEADYCACHE_SQLITE_GAUGES_H

#include "store/backend.h"

/* backend_ops.gauges */
size_t sqlite_gauges(struct backend *backend, struct backend_gauge *ret, size_t max);

#endif
