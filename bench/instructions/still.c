/* Preloaded into the server that is counted: there no thread is woken by the clock, only by
 * another. So what is counted is what requests cause, and not what the time that they take brings
 * with it: a slow or busy machine has as many instructions as a fast one. */
#include <pthread.h>
#include <time.h>

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *lock,
			   const struct timespec *until)
{
	(void)until;
	return pthread_cond_wait(condition, lock);
}
