#include "backends/sqlite/write/transaction.h"

#include "backends/sqlite/file/database.h"
#include "base/invariant.h"

static bool roll_back(struct transaction *tx)
{
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(tx->db))
		(void)database_run(tx->statements.rollback);
	tx->is_stuck = !sqlite3_get_autocommit(tx->db);
	return !tx->is_stuck;
}

int transaction_begin(struct transaction *tx)
{
	tx->rows.count = 0;
	fold_begin(&tx->folds);
	changes_forget(&tx->changes);
	tx->removed = 0;
	/* Nothing of a failed transaction may be part of another. */
	if (tx->is_stuck && !roll_back(tx))
		return SQLITE_NOMEM;
	tx->faults = mapping_faults(&tx->store->file.mapping);
	int code =
		sqlite3_get_autocommit(tx->db) ? database_run(tx->statements.begin) : SQLITE_DONE;
	if (code == SQLITE_BUSY)
		return code;
	changes_begin(tx);
	told_begin(tx);
	tx->now_us = store_now_us(tx->store);
	tx->order_us = order_clock_at(&tx->store->order_clock, tx->now_us);
	tx->order_began_us = tx->order_us;
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

void transaction_roll_back(struct transaction *tx)
{
	(void)roll_back(tx);
	fold_undo(tx);
	sweep_anew(tx); /* the entries that it had removed exist again */
	heads_forget(&tx->heads);
	tx->order.saved_us = 0;
	changes_drop(tx);
}

int transaction_commit(struct transaction *tx)
{
	int code = ns_row_write_all(tx);

	INVARIANT(tx->order_us >= tx->order_began_us);
	order_clock_pass(&tx->store->order_clock, tx->order_began_us,
			 (size_t)(tx->order_us - tx->order_began_us));
	if (code == SQLITE_OK && !mapping_is_intact(&tx->store->file.mapping, tx->faults))
		code = SQLITE_IOERR_MMAP; /* what it has read decided what it writes */
	if (code == SQLITE_OK)
		code = order_save(tx, false);
	if (code == SQLITE_OK)
		code = database_run(tx->statements.commit);
	if (code != SQLITE_DONE)
		return code;
	fold_end(tx);
	changes_publish(tx);
	told_publish(tx);
	ns_row_count_committed(&tx->rows);
	return SQLITE_OK;
}

void transaction_deinit(struct transaction *tx)
{
	statements_finalize(&tx->statements);
	ns_row_deinit(&tx->rows);
	fold_deinit(&tx->folds);
	changes_deinit(&tx->changes);
	told_deinit(&tx->told);
	sweep_deinit(&tx->sweep);
	heads_deinit(&tx->heads);
	hints_deinit(&tx->hints);
}
