/* A backend as the source of a migration. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_BACKEND_SOURCE_H
#define STEADYCACHE_CLIENT_MIGRATE_BACKEND_SOURCE_H

#include "client/migrate/end.h"

/* `backend` is the caller's, and must stay open. Takes over `namespaces` (malloc'ed, by name), of
 * which the entries are taken. `place`: that of a batch of an earlier source, after which to go on;
 * NULL: the beginning. NULL on failure. */
struct migrate_source *backend_source_open(struct backend *backend,
					   struct migrate_namespace *namespaces, size_t count,
					   const char *place, struct migrate_failure *failure);

#endif
