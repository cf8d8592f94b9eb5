/* Removing what has expired, once its stale time is over too.
 *
 * The index of entries by expiry is all that there is to find them by, and a stale time is the
 * namespace's: so entries that are kept stand in the index among those that are to go. They must
 * not be walked over four times a second. Hence a cursor for each stale time that is in use: it
 * says up to which entry the namespaces of that stale time have been swept, and the next sweep for
 * it begins there. So an expired entry is looked at once for each stale time, not once in each
 * sweep.
 *
 * A cursor is only a promise of this process, and must not hide an entry for good. All begin anew
 * where a stale time is changed (entries of one namespace then fall to another cursor) and where a
 * transaction is rolled back; one that is ahead of the clock goes back with it, and one that is
 * ahead of an entry that has expired before it came, as an import may, to that; and all begin anew
 * every hour, for what another process with a slower clock has put behind them.
 *
 * However much there is to do, it is done in steps that writers do not feel: a step ends with its
 * time, unless entries with an expiry come faster than that, and then it removes more than came.
 * The next follows at once where nobody writes, and else after a pause (sweep_pace). */
#include <stdlib.h>

#include "backends/sqlite/write/writer.h"
#include "base/array.h"

#define ANEW_AFTER_US (3600 * US_PER_S)
/* Stale times that one step deals with. */
#define TTLS_PER_STEP 16
/* How long a step takes, and the pause behind it where others write. */
#define STEP_US  INT64_C(1000)
#define PAUSE_US (3 * STEP_US)
/* Entries that are looked up in one query. */
#define LOOKED_UP_AT_ONCE 64
/* Entries that are looked at for each that may be removed: those that are kept cost less. */
#define LOOKED_AT_FACTOR 8

void sweep_anew(struct writer *writer)
{
	writer->sweep.count = 0;
	writer->sweep.began_us = writer->now_us;
	writer->sweep.goes_on = false;
}

void sweep_arrived(struct writer *writer, int64_t expires_us)
{
	struct sweep *sweep = &writer->sweep;

	sweep->arrived += expires_us > 0;
	if (rules_is_live(expires_us, writer->now_us))
		return;
	for (size_t i = 0; i < sweep->count; i++)
		if (sweep->cursors[i].swept_us >= expires_us)
			sweep->cursors[i] = (struct sweep_cursor){
				.stale_ttl_s = sweep->cursors[i].stale_ttl_s,
				.swept_us = expires_us - 1,
				.swept_id = INT64_MAX,
			};
}

void sweep_deinit(struct writer *writer)
{
	free(writer->sweep.cursors);
	writer->sweep = (struct sweep){0};
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

/* The next `max` entries behind the cursor that have expired by `until_us`. */
static int look_up(struct writer *writer, const struct sweep_cursor *cursor, int64_t until_us,
		   struct expired_entry *ret, size_t max, size_t *ret_count)
{
	sqlite3_stmt *rest = writer->find_expired_with;
	sqlite3_stmt *behind = writer->find_expired;
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
static int remove_expired(struct writer *writer, const struct expired_entry *entry,
			  int64_t stale_ttl_s, struct sweep_step *step)
{
	struct ns_row *row = NULL;
	bool removed = false;
	int code = writer_find_row_by_id(writer, entry->namespace_id, &row);

	step->looked_at++;
	/* Rows of a cleared namespace go with it. */
	if (code != SQLITE_OK || !row || row->settings.stale_ttl_s != stale_ttl_s)
		return code;
	code = apply_remove(writer, row, entry->id, &removed);
	if (code == SQLITE_OK && removed) {
		step->removed++;
		row->counted.expirations++;
	}
	return code;
}

bool sweep_step_is_over(const struct sweep_step *step)
{
	if (step->removed >= step->max || step->looked_at >= step->max * LOOKED_AT_FACTOR)
		return true;
	/* On a busy machine the time may be over before the first: each step goes on by one. */
	return step->removed + step->looked_at > 0 && step->removed >= step->min &&
	       monotonic_now_us() >= step->until_us;
}

static int sweep_one(struct writer *writer, int64_t stale_ttl_s, struct sweep_step *step)
{
	struct sweep_cursor *cursor = cursor_of(&writer->sweep, stale_ttl_s);
	int64_t until_us = writer->now_us - stale_ttl_s * US_PER_S;
	struct expired_entry found[LOOKED_UP_AT_ONCE];
	size_t count = 0;

	if (!cursor)
		return SQLITE_NOMEM;
	if (cursor->swept_us > until_us)
		cursor->swept_us = until_us;
	do {
		int code = look_up(writer, cursor, until_us, found, LOOKED_UP_AT_ONCE, &count);

		for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
			if (sweep_step_is_over(step))
				return SQLITE_OK;
			code = remove_expired(writer, &found[i], stale_ttl_s, step);
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

int apply_sweep(struct writer *writer, int64_t stale_ttl_s, size_t max, size_t *ret_removed)
{
	struct sweep_step step = {.max = max, .min = max};

	if (writer->now_us - writer->sweep.began_us >= ANEW_AFTER_US)
		sweep_anew(writer);
	int code = sweep_one(writer, 0, &step);
	if (code == SQLITE_OK && stale_ttl_s > 0 && !sweep_step_is_over(&step))
		code = sweep_one(writer, stale_ttl_s, &step);
	*ret_removed = step.removed;
	return code;
}

/* The smallest stale time beyond `after_s` that a namespace has; 0: none. */
static int find_stale_ttl(struct writer *writer, int64_t after_s, int64_t *ret_s)
{
	sqlite3_stmt *find = writer->find_stale_ttl;

	(void)sqlite3_bind_int64(find, 1, after_s + 1);
	int code = sqlite3_step(find);
	*ret_s = code == SQLITE_ROW ? sqlite3_column_int64(find, 0) : 0;
	int reset = sqlite3_reset(find);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : reset;
}

/* The namespaces without a stale time, and those of some stale times, the others with the next
 * steps.
 */
static int sweep_in_turn(struct writer *writer, struct sweep_step *step)
{
	int64_t ttl_s = writer->sweep.next_ttl_s;
	int code = sweep_one(writer, 0, step);

	for (int i = 0; i < TTLS_PER_STEP && code == SQLITE_OK && !sweep_step_is_over(step); i++) {
		code = find_stale_ttl(writer, ttl_s, &ttl_s);
		if (code != SQLITE_OK || ttl_s == 0)
			break;
		code = sweep_one(writer, ttl_s, step);
	}
	writer->sweep.next_ttl_s = ttl_s;
	return code;
}

int sweep_run_step(struct writer *writer)
{
	struct sweep *sweep = &writer->sweep;
	struct sweep_step step = {
		.max = writer->removals_max,
		.min = 2 * sweep->arrived,
		.until_us = monotonic_now_us() + STEP_US,
	};
	bool dropped_first = sweep->steps++ % 2 == 0;
	int code = SQLITE_OK;

	if (writer->now_us - sweep->began_us >= ANEW_AFTER_US)
		sweep_anew(writer);
	if (dropped_first)
		code = apply_sweep_dropped(writer, &step);
	if (code == SQLITE_OK)
		code = sweep_in_turn(writer, &step);
	if (code == SQLITE_OK && !dropped_first)
		code = apply_sweep_dropped(writer, &step);
	sweep->arrived = 0;
	sweep->goes_on = code == SQLITE_OK && sweep_step_is_over(&step);
	return code;
}

void sweep_pace(struct writer *writer, bool others_write)
{
	writer->sweep.next_step_us = others_write ? monotonic_now_us() + PAUSE_US : 0;
}
