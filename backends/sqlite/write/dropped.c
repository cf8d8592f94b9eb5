#include "backends/sqlite/write/dropped.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/write/entries.h"
#include "backends/sqlite/write/transaction.h"

/* Removes rows of a dropped namespace; *ret_emptied: none is left. */
static int remove_dropped(struct transaction *tx, int64_t namespace_id, struct step *step,
			  bool *ret_emptied)
{
	sqlite3_stmt *find = tx->statements.find_dropped_entries;
	int code = SQLITE_ROW;

	(void)sqlite3_bind_int64(find, 1, namespace_id);
	while (code == SQLITE_ROW && !step_is_over(step)) {
		code = sqlite3_step(find);
		if (code != SQLITE_ROW)
			break;
		int deleted = entries_delete_rows(tx, sqlite3_column_int64(find, 0));
		if (deleted != SQLITE_OK)
			code = deleted;
		step->removed++;
	}
	(void)sqlite3_reset(find);
	*ret_emptied = code == SQLITE_DONE;
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

int dropped_sweep(struct transaction *tx, struct step *step)
{
	while (!step_is_over(step)) {
		int code = sqlite3_step(tx->statements.find_dropped);
		int64_t namespace_id = sqlite3_column_int64(tx->statements.find_dropped, 0);
		int reset = sqlite3_reset(tx->statements.find_dropped);
		bool emptied = false;

		if (code != SQLITE_ROW)
			return code == SQLITE_DONE ? SQLITE_OK : reset;
		code = remove_dropped(tx, namespace_id, step, &emptied);
		if (code != SQLITE_OK || !emptied)
			return code;
		(void)sqlite3_bind_int64(tx->statements.forget_dropped, 1, namespace_id);
		code = database_run(tx->statements.forget_dropped);
		if (code != SQLITE_DONE)
			return code;
	}
	return SQLITE_OK;
}
