/* Group commit: all operations that were queued while the last group was committed are applied in
 * one transaction, committed, and answered. If SQLite refuses one of them (disk full), the group is
 * rolled back and its operations are tried one by one, so that each gets its own answer;
 * space_tries.c decides whether another try is worth it.
 *
 * Operations that have to remove much do so a thousand entries at a time and queue again, so that
 * nobody waits behind the clearing of a million. */
#ifndef STEADYCACHE_SQLITE_GROUP_H
#define STEADYCACHE_SQLITE_GROUP_H

#include "backends/sqlite/write/health.h"
#include "backends/sqlite/write/transaction.h"

/* Most operations in one transaction. */
#define GROUP_MAX 512

struct group {
	struct transaction *tx;
	struct health *health;
	size_t max; /* operations; GROUP_MAX or fewer */
	struct cache_op *ops[GROUP_MAX];
	bool again[GROUP_MAX];        /* the op is not finished: queue it again */
	uint64_t progress[GROUP_MAX]; /* of the op, before the current transaction */
	size_t count;
	bool tick; /* the housekeeping is due */
	bool fold; /* with it: write some waiting uses too */
	bool sync;
};

/* Takes what waits in the store's inbox, and whether the housekeeping is due. */
void group_take(struct group *group);
/* Answers the group if a file was removed, replaced or cut; false if all are in their places. The
 * transaction has already begun (write_lock.c). */
bool group_refuse_if_lost(struct group *group);
/* Writes and answers it. The transaction may already have begun. */
void group_run(struct group *group);

#endif
