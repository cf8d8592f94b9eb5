/* The clock of the order of eviction (order_clock.h), as the file keeps it: so that it does not run
 * backwards from one process to the next either, and times in the file that are still to come (of a
 * clock that was wrong, or an import into an older version) are soon behind it. */
#include "backends/sqlite/write/writer.h"

/* How far a kill may set it back; a process that ends well writes it down to the microsecond. */
#define SAVE_EVERY_US US_PER_S

static int read_state(struct writer *writer, struct order_clock_state *ret, bool *ret_known)
{
	sqlite3_stmt *find = writer->find_order;
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

/* Of a file that an older version has written: the latest time in it. */
static int find_latest(struct writer *writer, int64_t *ret_us)
{
	sqlite3_stmt *find = database_prepare_statement(
		writer->db, "SELECT max(max(last_access, created)) FROM uses");
	int code = find ? sqlite3_step(find) : SQLITE_NOMEM;

	if (code == SQLITE_ROW)
		*ret_us = sqlite3_column_int64(find, 0);
	int final = sqlite3_finalize(find);
	return code == SQLITE_ROW ? SQLITE_OK : final != SQLITE_OK ? final : code;
}

int order_open(struct writer *writer)
{
	struct order_clock_state state = {0};
	bool known = false;
	int code = read_state(writer, &state, &known);

	if (code == SQLITE_OK && !known)
		code = find_latest(writer, &state.latest_us);
	if (code != SQLITE_OK)
		return code;
	order_clock_restore(&writer->store->order_clock, &state);
	writer->order_saved_us = known ? state.latest_us : 0;
	return SQLITE_OK;
}

int order_follow(struct writer *writer)
{
	struct order_clock_state state;
	bool known = false;
	int code = read_state(writer, &state, &known);

	if (code == SQLITE_OK && known)
		order_clock_reach(&writer->store->order_clock, state.latest_us);
	return code;
}

static bool is_dirty(const struct writer *writer)
{
	for (size_t i = 0; i < writer->row_count; i++)
		if (writer->rows[i]->dirty)
			return true;
	return false;
}

int order_save(struct writer *writer, bool at_once)
{
	struct order_clock_state state;

	if (is_dirty(writer))
		writer->order_used_us = writer->order_us;
	if (writer->order_used_us - writer->order_saved_us < (at_once ? 1 : SAVE_EVERY_US))
		return SQLITE_OK;
	order_clock_save(&writer->store->order_clock, &state);
	(void)sqlite3_bind_int64(writer->save_order, 1, state.ahead_us);
	(void)sqlite3_bind_int64(writer->save_order, 2, state.since_us);
	(void)sqlite3_bind_int64(writer->save_order, 3, state.latest_us);
	int code = database_run(writer->save_order);
	if (code != SQLITE_DONE)
		return code;
	writer->order_saved_us = writer->order_used_us;
	return SQLITE_OK;
}
