#include "backends/sqlite/write/sweep.h"

#include <stdlib.h>

#include "backends/sqlite/write/dropped.h"
#include "backends/sqlite/write/entries.h"
#include "backends/sqlite/write/idle_sweep.h"
#include "base/array.h"

#define ANEW_AFTER_US (3600 * US_PER_S)
/* Stale times that one step handles. */
#define TTLS_PER_STEP 16
/* How long a step takes, and the pause after it if others write. */
#define STEP_US  INT64_C(1000)
#define PAUSE_US (3 * STEP_US)
/* Entries that are looked up in one query. */
#define LOOKED_UP_AT_ONCE 64

/* How far the sweep has come for one stale time. */
struct sweep_cursor {
	int64_t stale_ttl_s;
	/* Everything with that stale time that expired before, or then with an id up to that, is
	 * gone. */
	int64_t swept_us, swept_id;
};

void sweep_anew(struct transaction *tx)
{
	tx->sweep.count = 0;
	tx->sweep.began_us = tx->now_us;
	tx->sweep.goes_on = false;
}

void sweep_arrived(struct transaction *tx, int64_t expires_us)
{
	struct sweep *sweep = &tx->sweep;

	sweep->arrived += expires_us > 0;
	if (rules_is_live(expires_us, tx->now_us))
		return;
	for (size_t i = 0; i < sweep->count; i++)
		if (sweep->cursors[i].swept_us >= expires_us)
			sweep->cursors[i] = (struct sweep_cursor){
				.stale_ttl_s = sweep->cursors[i].stale_ttl_s,
				.swept_us = expires_us - 1,
				.swept_id = INT64_MAX,
			};
}

void sweep_deinit(struct sweep *sweep)
{
	free(sweep->cursors);
	*sweep = (struct sweep){0};
}

/* NULL: out of memory. */
static struct sweep_cursor *cursor_of(struct sweep *sweep, int64_t stale_ttl_s)
{
	for (size_t i = 0; i < sweep->count; i++)
		if (sweep->cursors[i].stale_ttl_s == stale_ttl_s)
			return &sweep->cursors[i];

	struct sweep_cursor *cursors =
		array_with_room(sweep->cursors, sweep->count, &sweep->capacity, sizeof(*cursors));
	if (!cursors)
		return NULL;
	sweep->cursors = cursors;
	sweep->cursors[sweep->count] = (struct sweep_cursor){.stale_ttl_s = stale_ttl_s};
	return &sweep->cursors[sweep->count++];
}

/* An entry as the index of expiries gives it. */
struct expired_entry {
	int64_t id, namespace_id, expires_us;
};

static int read_rows(sqlite3_stmt *find, struct expired_entry *ret, size_t *count)
{
	int code;

	while ((code = sqlite3_step(find)) == SQLITE_ROW)
		ret[(*count)++] = (struct expired_entry){
			.id = sqlite3_column_int64(find, 0),
			.namespace_id = sqlite3_column_int64(find, 1),
			.expires_us = sqlite3_column_int64(find, 2),
		};
	int reset = sqlite3_reset(find);
	return code == SQLITE_DONE ? SQLITE_OK : reset;
}

/* The next `max` entries after the cursor that have expired by `until_us`. */
static int look_up(struct transaction *tx, const struct sweep_cursor *cursor, int64_t until_us,
		   struct expired_entry *ret, size_t max, size_t *ret_count)
{
	sqlite3_stmt *rest = tx->statements.find_expired_with;
	sqlite3_stmt *behind = tx->statements.find_expired;
	int code = SQLITE_OK;

	*ret_count = 0;
	if (cursor->swept_us > 0 && cursor->swept_id < INT64_MAX) {
		(void)sqlite3_bind_int64(rest, 1, cursor->swept_us);
		(void)sqlite3_bind_int64(rest, 2, cursor->swept_id);
		(void)sqlite3_bind_int64(rest, 3, (int64_t)max);
		code = read_rows(rest, ret, ret_count);
	}
	if (code == SQLITE_OK && *ret_count < max) {
		(void)sqlite3_bind_int64(behind, 1, cursor->swept_us + 1);
		(void)sqlite3_bind_int64(behind, 2, until_us);
		(void)sqlite3_bind_int64(behind, 3, (int64_t)(max - *ret_count));
		code = read_rows(behind, ret, ret_count);
	}
	return code;
}

/* Removes `entry` if its namespace has that stale time. */
static int remove_expired(struct transaction *tx, const struct expired_entry *entry,
			  int64_t stale_ttl_s, struct step *step)
{
	struct ns_row *row = NULL;
	bool removed = false;
	int code = ns_row_find_by_id(tx, entry->namespace_id, &row);

	step->looked_at++;
	/* Rows of a cleared namespace are removed with it. */
	if (code != SQLITE_OK || !row || row->settings.stale_ttl_s != stale_ttl_s)
		return code;
	code = told_note_entry(tx, row, CHANGE_EXPIRE, entry->id);
	if (code == SQLITE_OK)
		code = entries_remove(tx, row, entry->id, &removed);
	if (code == SQLITE_OK && removed) {
		step->removed++;
		row->counted.expirations++;
	}
	return code;
}

static int sweep_one(struct transaction *tx, int64_t stale_ttl_s, struct step *step)
{
	struct sweep_cursor *cursor = cursor_of(&tx->sweep, stale_ttl_s);
	int64_t until_us = tx->now_us - stale_ttl_s * US_PER_S;
	struct expired_entry found[LOOKED_UP_AT_ONCE];
	size_t count = 0;

	if (!cursor)
		return SQLITE_NOMEM;
	if (cursor->swept_us > until_us)
		cursor->swept_us = until_us;
	do {
		int code = look_up(tx, cursor, until_us, found, LOOKED_UP_AT_ONCE, &count);

		for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
			if (step_is_over(step))
				return SQLITE_OK;
			code = remove_expired(tx, &found[i], stale_ttl_s, step);
			cursor->swept_us = found[i].expires_us;
			cursor->swept_id = found[i].id;
		}
		if (code != SQLITE_OK)
			return code;
	} while (count == LOOKED_UP_AT_ONCE);
	cursor->swept_us = until_us;
	cursor->swept_id = INT64_MAX;
	return SQLITE_OK;
}

int sweep_for_room(struct transaction *tx, struct ns_row *row, size_t max, size_t *ret_removed)
{
	struct step step = {.max = max, .min = max};
	int64_t stale_ttl_s = row->settings.stale_ttl_s;

	if (tx->now_us - tx->sweep.began_us >= ANEW_AFTER_US)
		sweep_anew(tx);
	int code = sweep_one(tx, 0, &step);
	if (code == SQLITE_OK && stale_ttl_s > 0 && !step_is_over(&step))
		code = sweep_one(tx, stale_ttl_s, &step);
	if (code == SQLITE_OK && !step_is_over(&step))
		code = idle_sweep_namespace(tx, row, &step);
	*ret_removed = step.removed;
	return code;
}

/* The smallest stale time beyond `after_s` that a namespace has; 0: none. */
static int find_stale_ttl(struct transaction *tx, int64_t after_s, int64_t *ret_s)
{
	sqlite3_stmt *find = tx->statements.find_stale_ttl;

	(void)sqlite3_bind_int64(find, 1, after_s + 1);
	int code = sqlite3_step(find);
	*ret_s = code == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

/* The namespaces without a stale time, and those of some stale times; the others follow in the next
 * steps. */
static int sweep_in_turn(struct transaction *tx, struct step *step)
{
	int64_t ttl_s = tx->sweep.next_ttl_s;

	if (tx->store->settings.follows)
		return SQLITE_OK;
	int code = sweep_one(tx, 0, step);

	for (int i = 0; i < TTLS_PER_STEP && code == SQLITE_OK && !step_is_over(step); i++) {
		code = find_stale_ttl(tx, ttl_s, &ttl_s);
		if (code != SQLITE_OK || ttl_s == 0)
			break;
		code = sweep_one(tx, ttl_s, step);
	}
	tx->sweep.next_ttl_s = ttl_s;
	if (code == SQLITE_OK && !step_is_over(step))
		code = idle_sweep(tx, &tx->sweep.next_idle, step);
	return code;
}

int sweep_run_step(struct transaction *tx)
{
	struct sweep *sweep = &tx->sweep;
	struct step step = {
		.max = tx->store->file.space.removals_max,
		.min = 2 * sweep->arrived,
		.until_us = monotonic_now_us() + STEP_US,
	};
	bool dropped_first = sweep->steps++ % 2 == 0;
	int code = SQLITE_OK;

	if (tx->now_us - sweep->began_us >= ANEW_AFTER_US)
		sweep_anew(tx);
	if (dropped_first)
		code = dropped_sweep(tx, &step);
	if (code == SQLITE_OK)
		code = sweep_in_turn(tx, &step);
	if (code == SQLITE_OK && !dropped_first)
		code = dropped_sweep(tx, &step);
	sweep->arrived = 0;
	sweep->goes_on = code == SQLITE_OK && step_is_over(&step);
	return code;
}

void sweep_pace(struct sweep *sweep, bool others_write)
{
	sweep->next_step_us = others_write ? monotonic_now_us() + PAUSE_US : 0;
}
