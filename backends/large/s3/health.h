/* Probes while the breaker is open: listings of one name, which close it. */
#ifndef STEADYCACHE_LARGE_S3_HEALTH_H
#define STEADYCACHE_LARGE_S3_HEALTH_H

#include "backends/large/s3/state.h"

/* Sets store->probe_timer up; the thread is not started yet. */
void s3_health_init(struct s3_store *store);

#endif
