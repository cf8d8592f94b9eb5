#include "backends/sqlite/file/row_settings.h"

#include "store/rules.h"

void row_settings_read(const struct backend_config *config, struct slice name,
		       sqlite3_stmt *statement, int column, struct namespace_settings *ret)
{
	rules_default_settings(config, SQLITE_DEFAULT_POLICY, name, ret);
	if (sqlite3_column_type(statement, column) != SQLITE_NULL)
		ret->max_size_bytes = (uint64_t)sqlite3_column_int64(statement, column);
	if (sqlite3_column_type(statement, column + 1) != SQLITE_NULL)
		ret->capacity = sqlite3_column_int64(statement, column + 1);
	if (sqlite3_column_type(statement, column + 2) != SQLITE_NULL)
		ret->default_ttl_s = sqlite3_column_int64(statement, column + 2);
	if (sqlite3_column_type(statement, column + 3) != SQLITE_NULL)
		ret->policy = (enum eviction_policy)sqlite3_column_int(statement, column + 3);
	/* All 0 for NULL. */
	ret->stale_ttl_s = sqlite3_column_int64(statement, column + 4);
	ret->max_idle_s = sqlite3_column_int64(statement, column + 5);
	ret->compression = (enum compression)sqlite3_column_int(statement, column + 6);
	ret->put_status = (unsigned)sqlite3_column_int(statement, column + 7);
}
