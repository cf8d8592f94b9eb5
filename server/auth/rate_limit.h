/* A limit of requests a second with a burst, for any number of threads without a lock.
 *
 * It is the token bucket as a single number: the time at which the admitted requests would end at
 * the even rate (the "theoretical arrival time" of the generic cell rate algorithm). A request may
 * pass if that time is not further ahead than the burst allows. */
#ifndef STEADYCACHE_SERVER_RATE_LIMIT_H
#define STEADYCACHE_SERVER_RATE_LIMIT_H

#include <stdatomic.h>
#include <stdint.h>

struct rate_limit {
	int64_t step_ns;               /* between two requests at the even rate; 0: no limit */
	int64_t ahead_ns;              /* how far the time below may be ahead of now for one more
					* request */
	_Atomic int64_t used_until_ns; /* monotonic */
};

/* `rate_per_s` requests a second (0: no limit), and `burst` (at least 1) at once. */
void rate_limit_init(struct rate_limit *limit, double rate_per_s, double burst);

/* Takes one request at `now_ns` of a monotonic clock. 0: it may pass; else the nanoseconds until
 * one more may. Any thread. */
int64_t rate_limit_take(struct rate_limit *limit, int64_t now_ns);

#endif
