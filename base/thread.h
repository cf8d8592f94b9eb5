/* What every thread of the project has in common: how it is started, and how it waits for a time.
 * Deadlines are of the monotonic clock (monotonic_now_us), so that a change of the machine's time
 * moves none of them. */
#ifndef STEADYCACHE_BASE_THREAD_H
#define STEADYCACHE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts a thread to be joined, in which all signals are blocked: they are for the owner of the
 * process. Those that a fault of the thread itself raises (SIGBUS and the like) are not blocked.
 * `name`: as the kernel shows it, up to 15 characters; NULL: the process's. The result is 0 or what
 * pthread_create says; *ret is written on success only. */
int thread_start(pthread_t *ret, const char *name, void *(*run)(void *user), void *user);

/* Makes a condition for thread_wait_until(). pthread_cond_destroy() ends it. */
void thread_condition_init(pthread_cond_t *ret);

/* Waits, with `lock` held, for a signal at `condition` until `until_us` (monotonic; INT64_MAX: for
 * ever). False where the time is over. As with pthread_cond_wait the caller looks again at what it
 * waits for. */
bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us);

#endif
