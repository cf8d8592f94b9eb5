/* The dialects of a Redis server: the script as a library of functions (Redis 7, Valkey), or called
 * by its hash (Redis 6.2). */
#ifndef STEADYCACHE_REDIS_DIALECTS_H
#define STEADYCACHE_REDIS_DIALECTS_H

#include "backends/remote/protocol.h"

extern const struct remote_dialect redis_dialects_functions;
extern const struct remote_dialect redis_dialects_script;

#endif
