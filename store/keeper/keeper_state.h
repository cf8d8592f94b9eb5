/* Shared by the files of the keeper: its state and its locks. Private to this folder.
 *
 * Locks, in the order in which they are taken:
 *
 *   gate         for reading: look-ups, and the driver's get; for writing: every change of entries
 *                and settings, and the driver's apply
 *   space->lock  what a look-up counts: uses, hits, misses
 *   work.lock    the queues (work.h); alone
 *
 * No lock is held when an operation's `done` runs. */
#ifndef STEADYCACHE_KEEPER_STATE_H
#define STEADYCACHE_KEEPER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/order_clock.h"
#include "steadycache/driver.h"
#include "store/backend.h"
#include "store/keeper/changes.h"
#include "store/keeper/space.h"
#include "store/keeper/work.h"

struct keeper {
	struct backend backend; /* first */
	struct backend_config config;
	const struct driver_ops *ops;
	struct driver *driver;

	pthread_rwlock_t gate;
	struct keeper_spaces spaces;
	struct order_clock order_clock;
	struct order_clock_state kept_clock; /* as the driver has it */
	struct keeper_changes changes;       /* of the write in progress */
	uint64_t damaged;                    /* records that were unreadable when it was opened */

	_Atomic uint64_t applies, applied_ops; /* how many applies, for how many operations */
	_Atomic uint64_t failures;             /* of the driver, of any kind */
	atomic_bool has_told_status;           /* of one that driver.h does not have */

	struct keeper_work work;
};

#endif
