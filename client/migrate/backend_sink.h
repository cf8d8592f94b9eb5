/* A backend as the sink of a migration: entries are merged into it (store/merge.h). */
#ifndef STEADYCACHE_CLIENT_MIGRATE_BACKEND_SINK_H
#define STEADYCACHE_CLIENT_MIGRATE_BACKEND_SINK_H

#include "client/migrate/end.h"

/* `backend` is the caller's, and must stay open. `is_alone`: nobody else writes to it. NULL on
 * failure. */
struct migrate_sink *backend_sink_open(struct backend *backend, bool is_alone,
				       struct migrate_failure *failure);

#endif
