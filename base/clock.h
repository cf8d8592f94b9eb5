/* Time as a parameter, so that tests can change it. */
#ifndef STEADYCACHE_BASE_CLOCK_H
#define STEADYCACHE_BASE_CLOCK_H

#include <stdint.h>

#define US_PER_S INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

struct cache_clock {
	/* Microseconds, of a wall clock since 1970. Called from any thread. */
	int64_t (*now_us)(void *user);
	void *user; /* passed to now_us; may be NULL */
};

static inline int64_t cache_clock_now_us(const struct cache_clock *clock)
{
	return clock->now_us(clock->user);
}

static inline int64_t earlier_us(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The machine's clock (CLOCK_REALTIME). */
extern const struct cache_clock system_clock;

/* A clock that never goes back (CLOCK_MONOTONIC), for durations and time-outs. */
extern const struct cache_clock monotonic_clock;
int64_t monotonic_now_us(void);
int64_t monotonic_now_ns(void);

#endif
