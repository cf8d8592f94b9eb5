/* The settings of a namespace, as its row in the database has them. */
#ifndef STEADYCACHE_SQLITE_ROW_SETTINGS_H
#define STEADYCACHE_SQLITE_ROW_SETTINGS_H

#include <sqlite3.h>

#include "store/backend.h"

/* Of a namespace for which nothing was configured. */
#define SQLITE_DEFAULT_POLICY EVICT_FRECENCY

/* The settings in force, of the row that `statement` stands on; columns max_size, capacity,
 * default_ttl, policy, stale_ttl from `column` on, NULL meaning rules_default_settings(). */
void row_settings_read(const struct backend_config *config, struct slice name,
		       sqlite3_stmt *statement, int column, struct namespace_settings *ret);

#endif
