#include "base/thread.h"

#include <signal.h>
#include <time.h>

#include "base/clock.h"

int thread_start(pthread_t *ret, const char *name, void *(*run)(void *user), void *user)
{
	/* If such a fault is raised while its signal is blocked, the process ends without a
	 * word. */
	static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
	sigset_t blocked, before;
	pthread_t thread;

	(void)sigfillset(&blocked);
	for (unsigned i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)sigdelset(&blocked, faults[i]);
	(void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
	int failure = pthread_create(&thread, NULL, run, user);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failure != 0)
		return failure;
	if (name)
		(void)pthread_setname_np(thread, name);
	*ret = thread;
	return 0;
}

void thread_condition_init(pthread_cond_t *ret)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(ret, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us)
{
	struct timespec until = {
		.tv_sec = until_us / US_PER_S,
		.tv_nsec = until_us % US_PER_S * 1000,
	};

	if (until_us == INT64_MAX)
		return pthread_cond_wait(condition, lock) == 0;
	return pthread_cond_timedwait(condition, lock, &until) == 0;
}
