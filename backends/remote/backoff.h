/* How long to wait before a retry: full jitter, so that clients that failed together do not return
 * together (the wait is uniform from 0 to a bound that doubles with each try). */
#ifndef STEADYCACHE_REMOTE_BACKOFF_H
#define STEADYCACHE_REMOTE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_BASE_US INT64_C(50000)
#define BACKOFF_MAX_US  INT64_C(2000000)

/* Microseconds before try number `attempt` + 1, after `attempt` (1, 2, ...) have failed. `random`
 * is any 64 random bits. */
int64_t remote_backoff_us(unsigned attempt, uint64_t random);

/* The same for attempts at a connection, which are to come soon but not all at once: microseconds
 * from half of a bound to that bound, which is `min_us` at first and doubles with each of
 * `failures` up to `max_us`. `random` goes on by one. */
int64_t remote_backoff_pause_us(unsigned failures, int64_t min_us, int64_t max_us,
				uint64_t *random);

/* The next of a sequence of pseudo-random numbers (splitmix64). */
uint64_t remote_backoff_random(uint64_t *state);

#endif
