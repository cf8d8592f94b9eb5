/* The write lock of the file, which another program may hold for long (`BEGIN IMMEDIATE` in the
 * sqlite3 shell, a backup tool, a second server).
 *
 * It is taken before any operation is: so all of them wait together, in the queue, each until its
 * own time is over, and one that is answered then is in no transaction that might still come about.
 * SQLite's own waiting is not used, as it knows one statement only: the operations behind would
 * wait once more, one after the other. Nothing else is held meanwhile, so whoever only reads does
 * not wait at all. */
#include <stdio.h>
#include <time.h>

#include "backends/sqlite/write/writer.h"

/* How long an operation waits for the lock. */
#define LOCK_WAIT_US (10 * US_PER_S)
/* The same where the process is about to end. */
#define LAST_WAIT_US (2 * US_PER_S)
/* From then on a health check tells of the lock: another server holds it for less. */
#define LOCK_TOLD_US (US_PER_S / 2)
/* Longest pause between two attempts: one who lets go of it for a moment is not missed. */
#define PAUSE_MAX_US INT64_C(10000)

static int64_t deadline_of(const struct sqlite_store *store, const struct cache_op *op)
{
	int64_t deadline_us = op->since_us + LOCK_WAIT_US;

	if (store->hurry_since_us > 0 && store->hurry_since_us + LAST_WAIT_US < deadline_us)
		return store->hurry_since_us + LAST_WAIT_US;
	return deadline_us;
}

static bool is_check_due(const struct writer *writer, const struct cache_op *op, int64_t now_us)
{
	return op->type == CACHE_OP_CHECK && now_us - writer->locked_since_us >= LOCK_TOLD_US;
}

/* Takes those whose time is over out of the queue. The caller holds its lock. */
static void take_overdue(struct writer *writer, int64_t now_us, struct op_queue *ret)
{
	struct op_queue *queue = &writer->store->write_queue;
	struct op_queue rest;
	struct cache_op *op;

	queue_init(&rest);
	queue_init(ret);
	while ((op = queue_pop(queue)))
		queue_push(is_check_due(writer, op, now_us) ||
					   now_us >= deadline_of(writer->store, op)
				   ? ret
				   : &rest,
			   op);
	queue_init(queue);
	while ((op = queue_pop(&rest)))
		queue_push(queue, op);
}

static void refuse(const struct writer *writer, struct cache_op *op, int64_t now_us)
{
	op->progress = 0;
	if (op->type == CACHE_OP_CHECK) {
		op->checks[0] = (struct cache_health_check){.name = "database"};
		(void)snprintf(op->checks[0].detail, sizeof(op->checks[0].detail),
			       "another program has held its write lock for %.1f s: writes wait",
			       (double)(now_us - writer->locked_since_us) / (double)US_PER_S);
		op->check_count = 1;
		cache_op_complete(op, CACHE_OK);
		return;
	}
	op->detail = "another program holds the write lock of the database (" DATABASE_NAME
		     "); end its transaction, then try again";
	cache_op_complete(op, CACHE_UNAVAILABLE);
}

/* The lock is not to be had. */
static void note_locked(struct writer *writer, int64_t now_us)
{
	struct sqlite_store *store = writer->store;

	if (writer->locked_since_us == 0)
		writer->locked_since_us = now_us;
	if (writer->locked_told || now_us - writer->locked_since_us < LOCK_TOLD_US)
		return;
	writer->locked_told = true;
	atomic_store(&store->locked, true);
	store_notice(store, NOTICE_WARN,
		     "another program holds the write lock of %s: writes wait for it, %d s at most",
		     store->path, (int)(LOCK_WAIT_US / US_PER_S));
}

static void note_free(struct writer *writer)
{
	if (writer->locked_told)
		store_notice(writer->store, NOTICE_INFO, "the write lock of %s is free again",
			     writer->store->path);
	writer->locked_since_us = 0;
	writer->locked_told = false;
	atomic_store(&writer->store->locked, false);
}

/* Answers those whose time is over, and pauses; one that comes meanwhile ends that. False where
 * nobody waits any more. */
static bool wait_a_little(struct writer *writer, int64_t now_us)
{
	struct sqlite_store *store = writer->store;
	int64_t pause_us = (now_us - writer->locked_since_us) / 4 + 500;
	struct op_queue overdue;
	struct cache_op *op;

	if (pause_us > PAUSE_MAX_US)
		pause_us = PAUSE_MAX_US;
	(void)pthread_mutex_lock(&store->write_lock);
	take_overdue(writer, now_us, &overdue);
	bool goes_on = store->write_queue.first || !store->write_stop;
	if (!overdue.first && goes_on)
		wait_on_clock(&store->write_wake, &store->write_lock, now_us + pause_us);
	(void)pthread_mutex_unlock(&store->write_lock);
	while ((op = queue_pop(&overdue)))
		refuse(writer, op, now_us);
	return goes_on;
}

bool file_lock_take(struct writer *writer)
{
	while (database_run(writer->begin) == SQLITE_BUSY) {
		int64_t now_us = monotonic_now_us();

		note_locked(writer, now_us);
		if (!wait_a_little(writer, now_us))
			return false;
	}
	if (writer->locked_since_us > 0)
		note_free(writer);
	return true;
}

void sqlite_hurry(struct backend *backend)
{
	struct sqlite_store *store = (struct sqlite_store *)backend;

	(void)pthread_mutex_lock(&store->write_lock);
	store->hurry_since_us = monotonic_now_us();
	(void)pthread_cond_signal(&store->write_wake);
	(void)pthread_mutex_unlock(&store->write_lock);
}
