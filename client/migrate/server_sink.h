/* A running server as the sink of a migration, by POST /import. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_SERVER_SINK_H
#define STEADYCACHE_CLIENT_MIGRATE_SERVER_SINK_H

#include "client/migrate/end.h"

/* `url` is the caller's. NULL on failure. */
struct migrate_sink *server_sink_open(const char *url, long timeout_s,
				      struct migrate_failure *failure);

#endif
