/* Which commands a call needs next. */
#ifndef STEADYCACHE_REDIS_GATHER_H
#define STEADYCACHE_REDIS_GATHER_H

#include "backends/redis/batch.h"

/* The commands for what the call's jobs have still to do, as call->state. NULL: out of memory. */
struct redis_batch *redis_gather(const struct remote_context *context, struct remote_call *call);

#endif
