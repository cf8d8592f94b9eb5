#include "backends/sqlite/write/order.h"

#include "backends/sqlite/file/database.h"
#include "backends/sqlite/write/transaction.h"

/* How far a kill may set it back; a process that ends normally saves it to the microsecond. */
#define SAVE_EVERY_US US_PER_S

static int read_state(struct transaction *tx, struct order_clock_state *ret, bool *ret_known)
{
	sqlite3_stmt *find = tx->statements.find_order;
	int code = sqlite3_step(find);

	*ret_known = code == SQLITE_ROW && sqlite3_column_type(find, 2) != SQLITE_NULL;
	if (*ret_known)
		*ret = (struct order_clock_state){
			.ahead_us = sqlite3_column_int64(find, 0),
			.since_us = sqlite3_column_int64(find, 1),
			.latest_us = sqlite3_column_int64(find, 2),
		};
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW ? SQLITE_OK : reset;
}

/* For a file that an older version has written: the latest time in it. */
static int find_latest(struct transaction *tx, int64_t *ret_us)
{
	sqlite3_stmt *find = database_prepare_statement(
		tx->db, "SELECT max(max(last_access, created)) FROM uses");
	int code = find ? sqlite3_step(find) : SQLITE_NOMEM;

	if (code == SQLITE_ROW)
		*ret_us = sqlite3_column_int64(find, 0);
	int final = sqlite3_finalize(find);
	return code == SQLITE_ROW ? SQLITE_OK : final != SQLITE_OK ? final : code;
}

int order_open(struct transaction *tx)
{
	struct order_clock_state state = {0};
	bool known = false;
	int code = read_state(tx, &state, &known);

	if (code == SQLITE_OK && !known)
		code = find_latest(tx, &state.latest_us);
	if (code != SQLITE_OK)
		return code;
	order_clock_restore(&tx->store->order_clock, &state);
	tx->order.saved_us = known ? state.latest_us : 0;
	return SQLITE_OK;
}

int order_follow(struct transaction *tx)
{
	struct order_clock_state state;
	bool known = false;
	int code = read_state(tx, &state, &known);

	if (code == SQLITE_OK && known)
		order_clock_reach(&tx->store->order_clock, state.latest_us);
	return code;
}

int order_save(struct transaction *tx, bool at_once)
{
	struct order_clock_state state;

	if (ns_row_any_is_dirty(&tx->rows))
		tx->order.used_us = tx->order_us;
	if (tx->order.used_us - tx->order.saved_us < (at_once ? 1 : SAVE_EVERY_US))
		return SQLITE_OK;
	const struct order_clock *followed = atomic_load(&tx->store->followed_clock);
	order_clock_save(followed ? followed : &tx->store->order_clock, &state);
	(void)sqlite3_bind_int64(tx->statements.save_order, 1, state.ahead_us);
	(void)sqlite3_bind_int64(tx->statements.save_order, 2, state.since_us);
	(void)sqlite3_bind_int64(tx->statements.save_order, 3, state.latest_us);
	int code = database_run(tx->statements.save_order);
	if (code != SQLITE_DONE)
		return code;
	tx->order.saved_us = tx->order.used_us;
	return SQLITE_OK;
}
