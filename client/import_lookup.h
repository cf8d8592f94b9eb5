/* Which entries a server has already. */
#ifndef STEADYCACHE_CLIENT_IMPORT_LOOKUP_H
#define STEADYCACHE_CLIENT_IMPORT_LOOKUP_H

#include "client/migrate/end.h"
#include "client/remote.h"

/* Makes MERGE_KEPT the outcome of those entries of the batch that the server has. `by_get`: its
 * backend cannot be asked whether an entry exists (the original Worker), so their values are got.
 * Keys are UTF-8. False: no answer, or a refusal. */
bool import_lookup(struct remote *remote, bool by_get, struct migrate_batch *batch,
		   struct migrate_failure *failure);

#endif
