/* Replies about leases. */
#ifndef STEADYCACHE_REDIS_READ_LEASE_H
#define STEADYCACHE_REDIS_READ_LEASE_H

#include "backends/redis/batch.h"

/* For a reply that was checked. */
void redis_read_lease(const struct redis_command *command, const struct redis_reply *reply);

#endif
