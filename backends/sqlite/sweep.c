/* Removing what has expired, once its stale time is over too.
 *
 * The index of entries by expiry is all that there is to find them by, and a stale time is the
 * namespace's: so entries that are kept stand in the index among those that are to go. They must
 * not be walked over four times a second. Hence a cursor for each stale time that is in use: it
 * says up to which expiry the namespaces of that stale time have been swept, and the next sweep for
 * it begins there. So an expired entry is looked at once for each stale time, not once in each
 * sweep.
 *
 * A cursor is only a promise of this process, and must not hide an entry for good. All begin anew
 * where a stale time is changed (entries of one namespace then fall to another cursor) and where a
 * transaction is rolled back; one that is ahead of the clock goes back with it; and all begin anew
 * every hour, for what another process with a slower clock has put behind them. */
#include <stdlib.h>

#include "backends/base/array.h"
#include "backends/sqlite/writer.h"

#define ANEW_AFTER_US (3600 * US_PER_S)
/* Stale times that one tick deals with. */
#define TTLS_PER_TICK 16

void sweep_anew(struct writer *writer)
{
	writer->sweep.count = 0;
	writer->sweep.began_us = writer->now_us;
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

static int sweep_one(struct writer *writer, int64_t stale_ttl_s, size_t max, size_t *removed)
{
	struct sweep_cursor *cursor = cursor_of(&writer->sweep, stale_ttl_s);
	int64_t until_us = writer->now_us - stale_ttl_s * US_PER_S;
	sqlite3_stmt *find = writer->find_expired;
	int64_t last_us = 0;
	size_t count = 0;

	if (!cursor)
		return SQLITE_NOMEM;
	if (cursor->swept_us > until_us)
		cursor->swept_us = until_us;
	(void)sqlite3_bind_int64(find, 1, until_us);
	(void)sqlite3_bind_int64(find, 2, (int64_t)max);
	(void)sqlite3_bind_int64(find, 3, cursor->swept_us + 1);
	(void)sqlite3_bind_int64(find, 4, stale_ttl_s);
	int code = apply_remove_listed(writer, find, true, &count, &last_us);
	/* Of the last moment there may be more. */
	if (code == SQLITE_OK)
		cursor->swept_us = count == max ? last_us - 1 : until_us;
	*removed += count;
	return code;
}

int apply_sweep(struct writer *writer, int64_t stale_ttl_s, size_t max, size_t *ret_removed)
{
	*ret_removed = 0;
	if (writer->now_us - writer->sweep.began_us >= ANEW_AFTER_US)
		sweep_anew(writer);
	int code = sweep_one(writer, 0, max, ret_removed);
	if (code == SQLITE_OK && stale_ttl_s > 0 && *ret_removed < max)
		code = sweep_one(writer, stale_ttl_s, max - *ret_removed, ret_removed);
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

int apply_sweep_in_turn(struct writer *writer, size_t max)
{
	int64_t ttl_s = writer->sweep.next_ttl_s;
	size_t removed = 0;
	int code = apply_sweep(writer, 0, max, &removed);

	for (int i = 0; i < TTLS_PER_TICK && code == SQLITE_OK && removed < max; i++) {
		code = find_stale_ttl(writer, ttl_s, &ttl_s);
		if (code != SQLITE_OK || ttl_s == 0)
			break;
		code = sweep_one(writer, ttl_s, max - removed, &removed);
	}
	writer->sweep.next_ttl_s = ttl_s;
	return code;
}
