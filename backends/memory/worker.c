#include "backends/memory/worker.h"

#include "base/clock.h"
#include "base/thread.h"

/* How long an expired entry may wait for its removal. Real time, because the clock of the backend
 * may be a test's and stand still. */
#define SWEEP_PERIOD_US (US_PER_S / 4)

/* Expired entries removed from a shard while its lock is held once. */
#define SWEEP_STEP 256

static bool has_some_due(const struct namespace *ns)
{
	return usage_read(&ns->usage.expiring) > 0 ||
	       (atomic_load_explicit(&ns->max_idle_s, memory_order_relaxed) > 0 &&
		usage_read(&ns->usage.entry_count) > 0);
}

static void sweep(struct worker *worker)
{
	struct namespace *ns =
		atomic_load_explicit(&worker->walks.namespaces->first, memory_order_acquire);
	int64_t now_us = cache_clock_now_us(worker->clock);

	for (; ns; ns = ns->next) {
		struct shard_time time = namespace_time(ns, now_us);

		for (unsigned i = 0; i < SHARDS && has_some_due(ns); i++) {
			struct shard *shard = &ns->shards[i];
			size_t removed;

			do {
				struct entry *trash = NULL;

				(void)pthread_mutex_lock(&shard->lock);
				removed = shard_expire(shard, time, SWEEP_STEP, &trash);
				(void)pthread_mutex_unlock(&shard->lock);
				entry_free_list(trash);
			} while (removed == SWEEP_STEP);
		}
	}
}

static bool is_idle(const struct worker *worker)
{
	return worker->ops.length == 0 && !worker->cleared && !worker->stop;
}

/* Sleeps until there is work; true if it is time for a sweep. With the lock held. */
static bool wait_for_work(struct worker *worker, int64_t sweep_at_us)
{
	while (is_idle(worker)) {
		bool has_nothing_to_sweep =
			usage_read(&worker->walks.namespaces->total.expiring) == 0 &&
			atomic_load(&worker->walks.namespaces->idling) == 0 && !worker->has_runs;

		if (!thread_wait_until(&worker->wake, &worker->lock,
				       has_nothing_to_sweep ? INT64_MAX : sweep_at_us))
			return true;
	}
	return false;
}

static void run_ops(struct worker *worker, struct op_queue ops)
{
	struct cache_op *op;

	while ((op = op_queue_pop(&ops)))
		worker->run(&worker->walks, op, cache_clock_now_us(worker->clock));
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	int64_t sweep_at_us = monotonic_now_us() + SWEEP_PERIOD_US;
	bool stop = false;

	while (!stop) {
		(void)pthread_mutex_lock(&worker->lock);
		bool sweep_due = wait_for_work(worker, sweep_at_us);
		struct op_queue ops = op_queue_take(&worker->ops);
		struct cleared *cleared = worker->cleared;

		worker->cleared = NULL;
		stop = worker->stop;
		(void)pthread_mutex_unlock(&worker->lock);

		run_ops(worker, ops);
		clear_free(cleared);
		worker->has_runs = walks_tidy(&worker->walks, cache_clock_now_us(worker->clock));
		if (sweep_due) {
			sweep(worker);
			sweep_at_us = monotonic_now_us() + SWEEP_PERIOD_US;
		}
	}
	return NULL;
}

bool worker_start(struct worker *worker, struct namespaces *namespaces,
		  const struct cache_clock *clock, worker_run_fn *run)
{
	*worker = (struct worker){
		.walks = {.namespaces = namespaces},
		.clock = clock,
		.run = run,
	};
	(void)pthread_mutex_init(&worker->lock, NULL);
	thread_condition_init(&worker->wake);
	if (thread_start(&worker->thread, "memory-worker", work, worker) == 0)
		return true;
	(void)pthread_cond_destroy(&worker->wake);
	(void)pthread_mutex_destroy(&worker->lock);
	return false;
}

void worker_stop(struct worker *worker)
{
	(void)pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
	(void)pthread_join(worker->thread, NULL);
	walks_deinit(&worker->walks);
	(void)pthread_cond_destroy(&worker->wake);
	(void)pthread_mutex_destroy(&worker->lock);
}

void worker_submit(struct worker *worker, struct cache_op *op)
{
	(void)pthread_mutex_lock(&worker->lock);
	op_queue_push(&worker->ops, op);
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
}

void worker_free(struct worker *worker, struct cleared *cleared)
{
	(void)pthread_mutex_lock(&worker->lock);
	cleared->next = worker->cleared;
	worker->cleared = cleared;
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
}

void worker_wake(struct worker *worker)
{
	/* Under the lock, so that it happens before the worker's look at `expiring` or during its
	 * sleep, never in between. */
	(void)pthread_mutex_lock(&worker->lock);
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
}
