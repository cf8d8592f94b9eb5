/* Shared by all threads of the project: how to start one, and how to wait until a time.
 * Deadlines use the monotonic clock (monotonic_now_us), so a change of the machine's time moves
 * none of them. */
#ifndef STEADYCACHE_BASE_THREAD_H
#define STEADYCACHE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts a thread, to be joined, with all signals blocked: they are for the owner of the
 * process. Signals that a fault of the thread itself raises (SIGBUS and the like) are not
 * blocked. `name`: as the kernel shows it, up to 15 characters; NULL: the process's. Returns 0
 * or the error of pthread_create; *ret is written on success only. */
int thread_start(pthread_t *ret, const char *name, void *(*run)(void *user), void *user);

/* Makes a condition for thread_wait_until(). pthread_cond_destroy() ends it. */
void thread_condition_init(pthread_cond_t *ret);

/* Waits, with `lock` held, for a signal at `condition` until `until_us` (monotonic; INT64_MAX:
 * for ever). False if the time is over. As with pthread_cond_wait, the caller must check again
 * what it waits for. */
bool thread_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us);

#endif
