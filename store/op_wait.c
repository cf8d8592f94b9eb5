#include "store/op_wait.h"

static void note_done(struct cache_op *op)
{
	struct op_wait *wait = op->user;

	(void)pthread_mutex_lock(&wait->lock);
	if (--wait->pending == 0)
		(void)pthread_cond_signal(&wait->over);
	(void)pthread_mutex_unlock(&wait->lock);
}

void op_wait_add(struct op_wait *wait, struct cache_op *op)
{
	op->done = note_done;
	op->user = wait;
	(void)pthread_mutex_lock(&wait->lock);
	wait->pending++;
	(void)pthread_mutex_unlock(&wait->lock);
}

void op_wait_end(struct op_wait *wait)
{
	(void)pthread_mutex_lock(&wait->lock);
	while (wait->pending > 0)
		(void)pthread_cond_wait(&wait->over, &wait->lock);
	(void)pthread_mutex_unlock(&wait->lock);
}
