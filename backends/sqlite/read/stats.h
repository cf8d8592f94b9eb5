/* Statistics of namespaces. */
#ifndef STEADYCACHE_SQLITE_STATS_H
#define STEADYCACHE_SQLITE_STATS_H

#include "backends/sqlite/store.h"

/* Runs a STATS to its end, on the connection of the background thread. */
void stats_run(struct sqlite_store *store, sqlite3 *db, struct cache_op *op);

#endif
