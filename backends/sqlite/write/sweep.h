/* Removes expired entries, once their stale time is over too.
 *
 * They can only be found by the index of entries by expiry, and a stale time belongs to the
 * namespace: so entries that are kept are in the index among those that must go. They must not be
 * walked over four times a second. Hence there is a cursor for each stale time in use: it says up
 * to which entry the namespaces of that stale time have been swept, and the next sweep for it
 * begins there. So an expired entry is checked once for each stale time, not once in each sweep.
 *
 * A cursor is only a promise of this process, and must not hide an entry for good:
 * - All start over if a stale time is changed (entries of one namespace then belong to another
 *   cursor) and if a transaction is rolled back.
 * - A cursor that is ahead of the clock goes back with it.
 * - A cursor that is ahead of an entry that has expired before it was stored, as an import may
 *   bring, goes back to that.
 * - All start over every hour, for what another process with a slower clock has put behind them.
 *
 * Entries that were not used for too long have an index of their own (idle_sweep.h).
 *
 * However much there is to do, it is done in steps that writers do not notice: a step ends when its
 * time is over, unless entries with an expiry arrive faster than that, and then it removes more
 * than arrived. The next follows at once if nobody writes, and otherwise after a pause
 * (sweep_pace). */
#ifndef STEADYCACHE_SQLITE_SWEEP_H
#define STEADYCACHE_SQLITE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ns_row;
struct sweep_cursor;
struct transaction;

struct sweep {
	struct sweep_cursor *cursors;
	size_t count, capacity;
	int64_t next_ttl_s; /* the stale time after which the next step continues */
	int64_t began_us;   /* when the cursors last started over */
	int64_t next_idle;  /* the id of a namespace with which the next step continues */
	unsigned steps;
	size_t arrived;       /* entries with an expiry that were stored since the last step */
	bool goes_on;         /* the last step has left something */
	int64_t next_step_us; /* monotonic: when it continues; 0: at once */
};

/* Removes up to `max` expired entries of the namespaces without a stale time and of those with the
 * one of `row`, if their stale time is over, and those of `row` that were not used for too long.
 * *ret_removed counts them. SQLITE_OK or an error. */
int sweep_for_room(struct transaction *tx, struct ns_row *row, size_t max, size_t *ret_removed);
/* One step of the housekeeping: expired entries, and rows of cleared namespaces. */
int sweep_run_step(struct transaction *tx);
/* After a step that has left something: sets when the next one is due. */
void sweep_pace(struct sweep *sweep, bool others_write);
/* A stale time was changed, or a transaction rolled back: check everything that has expired
 * again. */
void sweep_anew(struct transaction *tx);
/* An entry that expires then was stored; 0: never. */
void sweep_arrived(struct transaction *tx, int64_t expires_us);
void sweep_deinit(struct sweep *sweep);

#endif
