#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/thread.h"

#define POOL_THREADS_MAX 16

struct pool {
	pthread_mutex_t lock; /* guards the members below but the threads */
	pthread_cond_t wake;
	struct pool_job *first, **last;
	unsigned busy; /* threads that run a job, which may submit another one */
	bool stop;
	unsigned thread_count;
	pthread_t threads[POOL_THREADS_MAX];
};

static void *work(void *user)
{
	struct pool *pool = user;

	(void)pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->first && !(pool->stop && pool->busy == 0))
			(void)pthread_cond_wait(&pool->wake, &pool->lock);
		if (!pool->first)
			break;
		struct pool_job *job = pool->first;

		pool->first = job->next;
		if (!pool->first)
			pool->last = &pool->first;
		pool->busy++;
		(void)pthread_mutex_unlock(&pool->lock);
		job->run(job);
		(void)pthread_mutex_lock(&pool->lock);
		pool->busy--;
		if (pool->stop)
			(void)pthread_cond_broadcast(&pool->wake);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct pool *pool_create(const char *name, unsigned threads)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->wake, NULL);
	pool->last = &pool->first;
	while (pool->thread_count < threads && pool->thread_count < POOL_THREADS_MAX &&
	       thread_start(&pool->threads[pool->thread_count], name, work, pool) == 0)
		pool->thread_count++;
	if (pool->thread_count > 0)
		return pool;
	pool_destroy(pool);
	return NULL;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	(void)pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	(void)pthread_cond_broadcast(&pool->wake);
	(void)pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->thread_count; i++)
		(void)pthread_join(pool->threads[i], NULL);
	(void)pthread_cond_destroy(&pool->wake);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void pool_submit(struct pool *pool, struct pool_job *job)
{
	job->next = NULL;
	(void)pthread_mutex_lock(&pool->lock);
	*pool->last = job;
	pool->last = &job->next;
	(void)pthread_cond_signal(&pool->wake);
	(void)pthread_mutex_unlock(&pool->lock);
}
