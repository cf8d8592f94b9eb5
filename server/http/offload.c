#include "server/http/offload.h"

#include "base/thread.h"

/* Waits for the next job. NULL: the end, and no job waits. */
static struct offload_job *take(struct offload *offload)
{
	(void)pthread_mutex_lock(&offload->lock);
	while (!offload->first && !offload->stop)
		(void)pthread_cond_wait(&offload->wake, &offload->lock);
	struct offload_job *job = offload->first;
	if (job) {
		offload->first = job->next;
		if (!offload->first)
			offload->last = &offload->first;
	}
	(void)pthread_mutex_unlock(&offload->lock);
	return job;
}

static void *offload_main(void *arg)
{
	struct offload *offload = arg;
	struct offload_job *job;

	while ((job = take(offload)))
		job->run(job);
	return NULL;
}

bool offload_init(struct offload *offload, unsigned threads)
{
	*offload = (struct offload){.last = &offload->first};
	(void)pthread_mutex_init(&offload->lock, NULL);
	(void)pthread_cond_init(&offload->wake, NULL);
	while (offload->thread_count < threads && offload->thread_count < OFFLOAD_THREADS_MAX &&
	       thread_start(&offload->threads[offload->thread_count], NULL, offload_main,
			    offload) == 0)
		offload->thread_count++;
	if (offload->thread_count > 0)
		return true;
	(void)pthread_cond_destroy(&offload->wake);
	(void)pthread_mutex_destroy(&offload->lock);
	return false;
}

void offload_deinit(struct offload *offload)
{
	(void)pthread_mutex_lock(&offload->lock);
	offload->stop = true;
	(void)pthread_cond_broadcast(&offload->wake);
	(void)pthread_mutex_unlock(&offload->lock);
	for (unsigned i = 0; i < offload->thread_count; i++)
		(void)pthread_join(offload->threads[i], NULL);
	(void)pthread_cond_destroy(&offload->wake);
	(void)pthread_mutex_destroy(&offload->lock);
}

void offload_submit(struct offload *offload, struct offload_job *job)
{
	job->next = NULL;
	(void)pthread_mutex_lock(&offload->lock);
	*offload->last = job;
	offload->last = &job->next;
	(void)pthread_cond_signal(&offload->wake);
	(void)pthread_mutex_unlock(&offload->lock);
}
