#include "backends/sqlite/write/write_lock.h"

#include <stdio.h>

#include "backends/sqlite/file/database.h"
#include "base/thread.h"
#include "store/notice.h"

/* How long an operation waits for the lock. */
#define LOCK_WAIT_US (10 * US_PER_S)
/* The same if the process is about to end. */
#define LAST_WAIT_US (2 * US_PER_S)
/* After this time a health check reports the lock: another server holds it for less. */
#define LOCK_TOLD_US (US_PER_S / 2)
/* Longest pause between two attempts, so that a short release of the lock is not missed. */
#define PAUSE_MAX_US INT64_C(10000)

static int64_t deadline_of(const struct inbox *inbox, const struct cache_op *op)
{
	int64_t deadline_us = op->since_us + LOCK_WAIT_US;

	if (inbox->hurry_since_us > 0 && inbox->hurry_since_us + LAST_WAIT_US < deadline_us)
		return inbox->hurry_since_us + LAST_WAIT_US;
	return deadline_us;
}

static bool is_check_due(const struct write_lock *lock, const struct cache_op *op, int64_t now_us)
{
	return op->type == CACHE_OP_CHECK && now_us - lock->since_us >= LOCK_TOLD_US;
}

/* Removes those whose time is over from the queue. The caller holds the inbox's lock. */
static struct op_queue take_overdue(const struct write_lock *lock, struct inbox *inbox,
				    int64_t now_us)
{
	struct op_queue all = op_queue_take(&inbox->queue);
	struct op_queue overdue = {0};
	struct cache_op *op;

	while ((op = op_queue_pop(&all)))
		op_queue_push(is_check_due(lock, op, now_us) || now_us >= deadline_of(inbox, op)
				      ? &overdue
				      : &inbox->queue,
			      op);
	return overdue;
}

static void refuse(const struct write_lock *lock, struct cache_op *op, int64_t now_us)
{
	op->progress = 0;
	if (op->type == CACHE_OP_CHECK) {
		op->checks[0] = (struct cache_health_check){.name = "database"};
		(void)snprintf(op->checks[0].detail, sizeof(op->checks[0].detail),
			       "another program has held its write lock for %.1f s: writes wait",
			       (double)(now_us - lock->since_us) / (double)US_PER_S);
		op->check_count = 1;
		cache_op_complete(op, CACHE_OK);
		return;
	}
	op->detail = "another program holds the write lock of the database (" DATABASE_NAME
		     "); end its transaction, then try again";
	cache_op_complete(op, CACHE_UNAVAILABLE);
}

/* The lock cannot be had. */
static void note_locked(struct write_lock *lock, int64_t now_us)
{
	struct sqlite_store *store = lock->store;

	if (lock->since_us == 0)
		lock->since_us = now_us;
	if (lock->told || now_us - lock->since_us < LOCK_TOLD_US)
		return;
	lock->told = true;
	atomic_store(&store->written.locked, true);
	notice_send(&store->config, NOTICE_WARN,
		    "another program holds the write lock of %s: writes wait for it, %d s at most",
		    store->file.path, (int)(LOCK_WAIT_US / US_PER_S));
}

static void note_free(struct write_lock *lock)
{
	if (lock->told)
		notice_send(&lock->store->config, NOTICE_INFO, "the write lock of %s is free again",
			    lock->store->file.path);
	lock->since_us = 0;
	lock->told = false;
	atomic_store(&lock->store->written.locked, false);
}

/* Answers those whose time is over, and pauses; a new operation ends the pause. False if nobody
 * waits any more. */
static bool wait_a_little(struct write_lock *lock, int64_t now_us)
{
	struct inbox *inbox = &lock->store->to_writer;
	int64_t pause_us = (now_us - lock->since_us) / 4 + 500;
	struct cache_op *op;

	if (pause_us > PAUSE_MAX_US)
		pause_us = PAUSE_MAX_US;
	(void)pthread_mutex_lock(&inbox->lock);
	struct op_queue overdue = take_overdue(lock, inbox, now_us);
	bool goes_on = inbox->queue.first || !inbox->stop;
	if (!overdue.first && goes_on)
		(void)thread_wait_until(&inbox->wake, &inbox->lock, now_us + pause_us);
	(void)pthread_mutex_unlock(&inbox->lock);
	while ((op = op_queue_pop(&overdue)))
		refuse(lock, op, now_us);
	return goes_on;
}

bool write_lock_take(struct write_lock *lock)
{
	while (database_run(lock->begin) == SQLITE_BUSY) {
		int64_t now_us = monotonic_now_us();

		note_locked(lock, now_us);
		if (!wait_a_little(lock, now_us))
			return false;
	}
	if (lock->since_us > 0)
		note_free(lock);
	return true;
}
