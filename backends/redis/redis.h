/* Entries in a Redis or Valkey server, which any number of servers may share: docs/redis.md. */
#ifndef STEADYCACHE_REDIS_REDIS_H
#define STEADYCACHE_REDIS_REDIS_H

#include "store/backend.h"

extern const struct backend_ops redis_backend_ops;

#endif
