#include "backends/sqlite/write/idle_sweep.h"

#include "backends/sqlite/write/entries.h"
#include "backends/sqlite/write/idle.h"
#include "backends/sqlite/write/transaction.h"

#define LOOKED_UP_AT_ONCE 64
/* Namespaces that one step looks at. */
#define NAMESPACES_PER_STEP 64

static int look_up(struct transaction *tx, const struct ns_row *row, int64_t bound_us,
		   int64_t ret[static LOOKED_UP_AT_ONCE], size_t *ret_count)
{
	sqlite3_stmt *next = tx->statements.next_idle;
	int code;

	*ret_count = 0;
	(void)sqlite3_bind_int64(next, 1, row->id);
	(void)sqlite3_bind_int64(next, 2, bound_us);
	(void)sqlite3_bind_int(next, 3, LOOKED_UP_AT_ONCE);
	while ((code = sqlite3_step(next)) == SQLITE_ROW)
		ret[(*ret_count)++] = sqlite3_column_int64(next, 0);
	int reset = sqlite3_reset(next);
	return code == SQLITE_DONE ? SQLITE_OK : reset;
}

/* Removes the entry, or writes the use that waits for it. */
static int settle(struct transaction *tx, struct ns_row *row, int64_t id, int64_t bound_us,
		  struct step *step)
{
	bool removed = false;
	struct use use;

	step->looked_at++;
	if (uses_find(&tx->store->uses, id, &use) && use.last_access_us > bound_us) {
		fold_take(tx);
		if (!uses_take(&tx->store->uses, id, &use))
			return SQLITE_OK;
		return fold_keep_taken(tx, &use) ? fold_use(tx, &use) : SQLITE_NOMEM;
	}
	int code = told_note_entry(tx, row, CHANGE_EXPIRE, id);
	if (code == SQLITE_OK)
		code = entries_remove(tx, row, id, &removed);
	step->removed += removed;
	row->counted.expirations += removed;
	return code;
}

int idle_sweep_namespace(struct transaction *tx, struct ns_row *row, struct step *step)
{
	int64_t found[LOOKED_UP_AT_ONCE];
	size_t count = LOOKED_UP_AT_ONCE;
	int code = SQLITE_OK;
	int64_t bound_us;

	if (!idle_find_bound(tx, row, &bound_us))
		return SQLITE_OK;
	while (code == SQLITE_OK && count == LOOKED_UP_AT_ONCE) {
		code = look_up(tx, row, bound_us, found, &count);
		for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
			if (step_is_over(step))
				return SQLITE_OK;
			code = settle(tx, row, found[i], bound_us, step);
		}
	}
	return code;
}

/* The first namespace with an idle time from id `from` on; 0: none. */
static int find_namespace(struct transaction *tx, int64_t from, int64_t *ret)
{
	sqlite3_stmt *find = tx->statements.next_idle_namespace;

	(void)sqlite3_bind_int64(find, 1, from);
	int code = sqlite3_step(find);
	*ret = code == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

int idle_sweep(struct transaction *tx, int64_t *next, struct step *step)
{
	int code = SQLITE_OK;

	for (int i = 0; i < NAMESPACES_PER_STEP && code == SQLITE_OK && !step_is_over(step); i++) {
		struct ns_row *row = NULL;
		int64_t id = 0;

		code = find_namespace(tx, *next, &id);
		*next = id + 1;
		if (code != SQLITE_OK || id == 0)
			break;
		code = ns_row_find_by_id(tx, id, &row);
		if (code == SQLITE_OK && row)
			code = idle_sweep_namespace(tx, row, step);
		/* What is left of it is first the next time. */
		if (step_is_over(step))
			*next = id;
	}
	return code;
}
