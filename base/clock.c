#include "base/clock.h"

#include <time.h>

static int64_t read_clock_us(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int64_t system_now_us(void *user)
{
	(void)user;
	return read_clock_us(CLOCK_REALTIME);
}

const struct cache_clock system_clock = {.now_us = system_now_us};

int64_t monotonic_now_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

static int64_t monotonic_clock_now_us(void *user)
{
	(void)user;
	return monotonic_now_us();
}

const struct cache_clock monotonic_clock = {.now_us = monotonic_clock_now_us};

int64_t monotonic_now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}
