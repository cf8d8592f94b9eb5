#include "backends/sqlite/write/idle.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/write/transaction.h"

bool idle_find_bound(const struct transaction *tx, const struct ns_row *row, int64_t *ret_us)
{
	int64_t max_idle_us = row->settings.max_idle_s * US_PER_S;

	*ret_us = tx->order_us - max_idle_us;
	/* A use that could not be counted may have been one of any entry. */
	return max_idle_us > 0 && !tx->store->settings.follows &&
	       atomic_load(&tx->store->uses.lost_us) <= *ret_us;
}

int idle_find(struct transaction *tx, const struct ns_row *row, int64_t id, bool *ret)
{
	sqlite3_stmt *find = tx->statements.find_access;
	int64_t bound_us;
	struct use use;

	*ret = false;
	if (!idle_find_bound(tx, row, &bound_us) ||
	    (uses_find(&tx->store->uses, id, &use) && use.last_access_us > bound_us))
		return SQLITE_OK;
	(void)sqlite3_bind_int64(find, 1, id);
	int code = sqlite3_step(find);
	*ret = code == SQLITE_ROW && sqlite3_column_int64(find, 0) <= bound_us;
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int idle_mark(struct transaction *tx, const struct ns_row *row)
{
	(void)sqlite3_bind_int64(tx->statements.mark_idle, 1, row->id);
	(void)sqlite3_bind_int(tx->statements.mark_idle, 2, row->settings.max_idle_s > 0);
	int code = database_run(tx->statements.mark_idle);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}
