#include "backends/persist/loop.h"
#include "backends/memory/mirror/copy.h"

#include "backends/persist/flush.h"
#include "backends/persist/load.h"
#include "base/clock.h"
#include "base/thread.h"
#include "store/notice.h"

/* How soon it tries again after the file refused something, if that is sooner than usual. */
#define RETRY_US US_PER_S

/* ---- What waits ---- */

static void push(struct persist *persist, struct op_queue *queue, struct cache_op *op)
{
	(void)pthread_mutex_lock(&persist->lock);
	op_queue_push(queue, op);
	(void)pthread_cond_signal(&persist->wake);
	(void)pthread_mutex_unlock(&persist->lock);
}

void loop_park(struct persist *persist, struct cache_op *op)
{
	push(persist, &persist->parked, op);
}

void loop_sync(struct persist *persist, struct cache_op *op)
{
	push(persist, &persist->syncs, op);
}

/* Tries the first SET that waits once more. False: it still waits, or none does. */
static bool try_parked(struct persist *persist)
{
	(void)pthread_mutex_lock(&persist->lock);
	size_t others = persist->parked.length;
	struct cache_op *op = op_queue_pop(&persist->parked);
	(void)pthread_mutex_unlock(&persist->lock);
	if (!op)
		return false;
	persist->memory->ops->set(persist->memory, op);
	(void)pthread_mutex_lock(&persist->lock);
	bool has_gone = persist->parked.length < others;
	(void)pthread_mutex_unlock(&persist->lock);
	return has_gone;
}

/* Between the steps of a flush: what was written may be spilled. */
static void try_all_parked(struct persist *persist)
{
	while (!atomic_load(&persist->mirror.is_loading) && try_parked(persist))
		continue;
}

/* After a whole flush: all that waited before it has room now, or evicts. */
static void submit_parked(struct persist *persist, struct op_queue ops)
{
	struct cache_op *op;

	while ((op = op_queue_pop(&ops))) {
		op->progress++;
		persist->memory->ops->set(persist->memory, op);
	}
}

static void refuse_all(struct op_queue ops, enum cache_status status)
{
	struct cache_op *op;

	while ((op = op_queue_pop(&ops))) {
		op->detail = status == CACHE_NO_SPACE
				     ? "the volume of the database is full: free space on it"
				     : "what has changed cannot be written to the database now";
		cache_op_complete(op, status == CACHE_NO_SPACE ? status : CACHE_UNAVAILABLE);
	}
}

static void finish_syncs(struct persist *persist, struct op_queue ops)
{
	struct cache_op *op;

	while ((op = op_queue_pop(&ops)))
		persist->file->ops->sync(persist->file, op);
}

/* ---- Flushes ---- */

/* Writes everything, and answers who has waited for that since before it began. */
static bool flush(struct persist *persist)
{
	struct op_queue syncs = persist_take(persist, &persist->syncs);
	bool loads = atomic_load(&persist->mirror.is_loading);
	struct op_queue none = {0};
	bool ok = flush_all(persist, try_all_parked);
	struct op_queue parked = loads ? none : persist_take(persist, &persist->parked);
	enum cache_status status = persist->failure.status;

	mirror_spill(persist->all, persist->resident_bytes);
	if (ok) {
		submit_parked(persist, parked);
		finish_syncs(persist, syncs);
	} else {
		refuse_all(parked, status);
		refuse_all(syncs, status);
	}
	return ok;
}

static int64_t next_flush_us(const struct persist *persist, int64_t began_us, bool ok)
{
	int64_t every_us = persist->every_us;

	return began_us + (ok || every_us < RETRY_US ? every_us : RETRY_US);
}

static void load(struct persist *persist)
{
	int64_t next_us = monotonic_now_us() + persist->every_us;
	bool stop = false;
	bool is_done = false;

	while (!stop && !is_done) {
		is_done = load_step(persist);
		(void)pthread_mutex_lock(&persist->lock);
		stop = persist->stop;
		bool is_due = persist->syncs.first || monotonic_now_us() >= next_us;
		(void)pthread_mutex_unlock(&persist->lock);
		if (is_due && !stop) {
			int64_t began_us = monotonic_now_us();

			next_us = next_flush_us(persist, began_us, flush(persist));
		}
	}
	if (is_done)
		load_end(persist);
}

/* Sleeps until a flush is due; true if it is the last. */
static bool await(struct persist *persist, int64_t next_us)
{
	(void)pthread_mutex_lock(&persist->lock);
	while (!persist->stop && !persist->syncs.first && !persist->parked.first &&
	       thread_wait_until(&persist->wake, &persist->lock, next_us))
		continue;
	bool stop = persist->stop;
	(void)pthread_mutex_unlock(&persist->lock);
	return stop;
}

static void *run(void *arg)
{
	struct persist *persist = arg;
	int64_t began_us = monotonic_now_us();
	bool ok = true;
	bool stop = false;

	if (atomic_load(&persist->mirror.is_loading))
		load(persist);
	while (!stop) {
		stop = await(persist, next_flush_us(persist, began_us, ok));
		began_us = monotonic_now_us();
		ok = flush(persist);
	}
	if (!ok) {
		struct mirror_figures figures;

		mirror_figures(persist->all, &figures);
		notice_send(&persist->config, NOTICE_ERROR,
			    "%llu changes could not be written to the database and are lost",
			    (unsigned long long)figures.unsaved_entries);
	}
	return NULL;
}

bool loop_start(struct persist *persist)
{
	atomic_store(&persist->saved_until_us, monotonic_now_us());
	persist->has_thread = thread_start(&persist->thread, "persist", run, persist) == 0;
	return persist->has_thread;
}

void loop_stop(struct persist *persist)
{
	if (!persist->has_thread)
		return;
	(void)pthread_mutex_lock(&persist->lock);
	persist->stop = true;
	(void)pthread_cond_signal(&persist->wake);
	(void)pthread_mutex_unlock(&persist->lock);
	(void)pthread_join(persist->thread, NULL);
}
