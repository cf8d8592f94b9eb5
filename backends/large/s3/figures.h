/* What a store in S3 reports of itself. Any thread. */
#ifndef STEADYCACHE_LARGE_S3_FIGURES_H
#define STEADYCACHE_LARGE_S3_FIGURES_H

#include "backends/large/s3/state.h"

/* object_store_ops.gauges */
size_t s3_figures(struct object_store *of, struct backend_gauge *ret, size_t max);

#endif
