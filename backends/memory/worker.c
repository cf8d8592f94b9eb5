#include "backends/memory/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* How long an expired entry may wait for its removal. Real time: the clock of the backend may be a
 * test's and stand still. */
#define SWEEP_PERIOD_MS 250

/* Expired entries removed from a shard with its lock held once. */
#define SWEEP_STEP 256

static void sweep(struct worker *worker)
{
	struct namespace *ns =
		atomic_load_explicit(&worker->namespaces->first, memory_order_acquire);
	int64_t now_us = cache_clock_now_us(worker->clock);

	for (; ns; ns = ns->next) {
		for (unsigned i = 0; i < SHARDS && usage_read(&ns->usage.expiring) > 0; i++) {
			struct shard *shard = &ns->shards[i];
			size_t removed;

			do {
				struct entry *trash = NULL;

				(void)pthread_mutex_lock(&shard->lock);
				removed = shard_expire(shard, now_us, SWEEP_STEP, &trash);
				(void)pthread_mutex_unlock(&shard->lock);
				entry_free_list(trash);
			} while (removed == SWEEP_STEP);
		}
	}
}

static struct timespec deadline_after_ms(long ms)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ms * 1000000;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

static bool is_idle(const struct worker *worker)
{
	return !worker->first && !worker->cleared && !worker->stop;
}

/* Sleeps until there is work; true where it is time for a sweep. With the lock held. */
static bool wait_for_work(struct worker *worker, const struct timespec *sweep_at)
{
	while (is_idle(worker)) {
		if (usage_read(&worker->namespaces->total.expiring) == 0 && !worker->has_runs)
			(void)pthread_cond_wait(&worker->wake, &worker->lock);
		else if (pthread_cond_timedwait(&worker->wake, &worker->lock, sweep_at) != 0)
			return true;
	}
	return false;
}

static void free_cleared(struct cleared *cleared)
{
	while (cleared) {
		struct cleared *next = cleared->next;

		for (unsigned i = 0; i < SHARDS; i++)
			table_deinit(&cleared->tables[i]);
		free(cleared);
		cleared = next;
	}
}

static void run_ops(struct worker *worker, struct cache_op *op)
{
	while (op) {
		struct cache_op *next = op->next; /* `op` is the caller's again once it is run */

		worker->run(worker->namespaces, op, cache_clock_now_us(worker->clock));
		op = next;
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct timespec sweep_at = deadline_after_ms(SWEEP_PERIOD_MS);
	bool stop = false;

	while (!stop) {
		(void)pthread_mutex_lock(&worker->lock);
		bool sweep_due = wait_for_work(worker, &sweep_at);
		struct cache_op *ops = worker->first;
		struct cleared *cleared = worker->cleared;

		worker->first = NULL;
		worker->last = &worker->first;
		worker->cleared = NULL;
		stop = worker->stop;
		(void)pthread_mutex_unlock(&worker->lock);

		run_ops(worker, ops);
		free_cleared(cleared);
		worker->has_runs =
			walks_tidy(worker->namespaces, cache_clock_now_us(worker->clock));
		if (sweep_due) {
			sweep(worker);
			sweep_at = deadline_after_ms(SWEEP_PERIOD_MS);
		}
	}
	return NULL;
}

bool worker_start(struct worker *worker, struct namespaces *namespaces,
		  const struct cache_clock *clock,
		  void (*run)(struct namespaces *all, struct cache_op *op, int64_t now_us))
{
	pthread_condattr_t attributes;
	sigset_t all_signals;
	sigset_t before;

	*worker = (struct worker){.namespaces = namespaces, .clock = clock, .run = run};
	worker->last = &worker->first;
	(void)pthread_mutex_init(&worker->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&worker->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);

	/* Signals are for the threads of the server. */
	(void)sigfillset(&all_signals);
	(void)pthread_sigmask(SIG_SETMASK, &all_signals, &before);
	int failure = pthread_create(&worker->thread, NULL, work, worker);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failure) {
		(void)pthread_cond_destroy(&worker->wake);
		(void)pthread_mutex_destroy(&worker->lock);
		return false;
	}
	(void)pthread_setname_np(worker->thread, "memory-worker");
	return true;
}

void worker_stop(struct worker *worker)
{
	(void)pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
	(void)pthread_join(worker->thread, NULL);
	(void)pthread_cond_destroy(&worker->wake);
	(void)pthread_mutex_destroy(&worker->lock);
}

void worker_submit(struct worker *worker, struct cache_op *op)
{
	op->next = NULL;
	(void)pthread_mutex_lock(&worker->lock);
	*worker->last = op;
	worker->last = &op->next;
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
	/* Under the lock, so that it falls before the worker's look at `expiring` or into its
	 * sleep, never between. */
	(void)pthread_mutex_lock(&worker->lock);
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
}
