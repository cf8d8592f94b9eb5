/* A running server as the source of a migration, by GET /export. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_SERVER_SOURCE_H
#define STEADYCACHE_CLIENT_MIGRATE_SERVER_SOURCE_H

#include "client/migrate/end.h"

/* `url` and `selection` are the caller's. `place`: a cursor of an earlier source, or NULL. NULL on
 * failure. */
struct migrate_source *server_source_open(const char *url, long timeout_s,
					  const struct migrate_selection *selection,
					  const char *place, struct migrate_failure *failure);

#endif
