#include "backends/sqlite/inbox.h"

#include "base/clock.h"
#include "base/thread.h"

void inbox_init(struct inbox *inbox)
{
	*inbox = (struct inbox){0};
	(void)pthread_mutex_init(&inbox->lock, NULL);
	thread_condition_init(&inbox->wake);
}

void inbox_deinit(struct inbox *inbox)
{
	(void)pthread_mutex_destroy(&inbox->lock);
	(void)pthread_cond_destroy(&inbox->wake);
}

void inbox_submit(struct inbox *inbox, struct cache_op *op)
{
	(void)pthread_mutex_lock(&inbox->lock);
	op_queue_push(&inbox->queue, op);
	(void)pthread_cond_signal(&inbox->wake);
	(void)pthread_mutex_unlock(&inbox->lock);
}

void inbox_nudge(struct inbox *inbox)
{
	(void)pthread_mutex_lock(&inbox->lock);
	inbox->is_due = true;
	(void)pthread_cond_signal(&inbox->wake);
	(void)pthread_mutex_unlock(&inbox->lock);
}

void inbox_hurry(struct inbox *inbox)
{
	(void)pthread_mutex_lock(&inbox->lock);
	inbox->hurry_since_us = monotonic_now_us();
	(void)pthread_cond_signal(&inbox->wake);
	(void)pthread_mutex_unlock(&inbox->lock);
}

void inbox_stop(struct inbox *inbox)
{
	(void)pthread_mutex_lock(&inbox->lock);
	inbox->stop = true;
	(void)pthread_cond_signal(&inbox->wake);
	(void)pthread_mutex_unlock(&inbox->lock);
}

size_t inbox_length(struct inbox *inbox)
{
	(void)pthread_mutex_lock(&inbox->lock);
	size_t length = inbox->queue.length;
	(void)pthread_mutex_unlock(&inbox->lock);
	return length;
}
