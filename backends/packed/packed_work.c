#include "backends/packed/packed_work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 8
/* Jobs that may wait before values are kept as they are instead. */
#define WAITING_MAX 256

struct packed_work {
	pthread_mutex_t lock; /* for the start */
	struct pool *_Atomic pool;
	atomic_uint jobs;
};

struct packed_work *packed_work_create(void)
{
	struct packed_work *work = calloc(1, sizeof(*work));

	if (work)
		(void)pthread_mutex_init(&work->lock, NULL);
	return work;
}

void packed_work_destroy(struct packed_work *work)
{
	if (!work)
		return;
	pool_destroy(atomic_load(&work->pool));
	(void)pthread_mutex_destroy(&work->lock);
	free(work);
}

/* NULL: none could be started. */
static struct pool *pool_of(struct packed_work *work)
{
	struct pool *pool = atomic_load_explicit(&work->pool, memory_order_acquire);

	if (pool)
		return pool;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = processors < 2             ? 1
			   : processors > THREADS_MAX ? THREADS_MAX
						      : (unsigned)processors;
	(void)pthread_mutex_lock(&work->lock);
	pool = atomic_load(&work->pool);
	if (!pool) {
		pool = pool_create("packed", threads);
		atomic_store_explicit(&work->pool, pool, memory_order_release);
	}
	(void)pthread_mutex_unlock(&work->lock);
	return pool;
}

bool packed_work_submit(struct packed_work *work, struct pool_job *job)
{
	struct pool *pool = pool_of(work);

	if (!pool)
		return false;
	(void)atomic_fetch_add_explicit(&work->jobs, 1, memory_order_relaxed);
	pool_submit(pool, job);
	return true;
}

bool packed_work_try(struct packed_work *work, struct pool_job *job)
{
	return atomic_load_explicit(&work->jobs, memory_order_relaxed) < WAITING_MAX &&
	       packed_work_submit(work, job);
}

void packed_work_ended(struct packed_work *work)
{
	(void)atomic_fetch_sub_explicit(&work->jobs, 1, memory_order_relaxed);
}
