/* The settings of a namespace, read from its row in the database. */
#ifndef STEADYCACHE_SQLITE_ROW_SETTINGS_H
#define STEADYCACHE_SQLITE_ROW_SETTINGS_H

#include <sqlite3.h>

#include "store/backend.h"

/* The policy of a namespace that nobody has configured. */
#define SQLITE_DEFAULT_POLICY EVICT_FRECENCY

/* The columns, and how many there are. */
#define ROW_SETTINGS_COLUMNS                                                                       \
	"max_size, capacity, default_ttl, policy, stale_ttl, max_idle, compression, put_status"
#define ROW_SETTINGS 8

/* The settings in force, from the current row of `statement`: ROW_SETTINGS_COLUMNS from `column`
 * on; NULL means rules_default_settings(). */
void row_settings_read(const struct backend_config *config, struct slice name,
		       sqlite3_stmt *statement, int column, struct namespace_settings *ret);

#endif
