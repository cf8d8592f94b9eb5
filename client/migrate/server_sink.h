/* A running server as the sink of a migration, by POST /import. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_SERVER_SINK_H
#define STEADYCACHE_CLIENT_MIGRATE_SERVER_SINK_H

#include "client/migrate/end.h"

/* `url` and `role` (server_end.h) are the caller's. NULL on failure; its status is 501 if `policy`
 * is not MERGE_REPLACE and the server's backend knows no other. */
struct migrate_sink *server_sink_open(const char *url, const char *role, enum merge_policy policy,
				      long timeout_s, struct migrate_failure *failure);

#endif
