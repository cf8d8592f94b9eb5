/* A histogram of durations: counts in steps that grow by about 1.6 (the five preferred numbers of a
 * decade), from 2.5 us to 10 s. */
#ifndef STEADYCACHE_BASE_LATENCY_H
#define STEADYCACHE_BASE_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_BOUNDS 34
/* The last step has no upper bound. */
#define LATENCY_STEPS (LATENCY_BOUNDS + 1)

struct latency_histogram {
	uint64_t count[LATENCY_STEPS];
	uint64_t sum_ns;
};

/* The upper bounds of the steps, inclusive. */
extern const uint64_t latency_bounds_ns[LATENCY_BOUNDS];

/* The step of a duration. Most durations are short, so few bounds are compared. */
static inline size_t latency_step(uint64_t duration_ns)
{
	size_t step = 0;

	while (step < LATENCY_BOUNDS && duration_ns > latency_bounds_ns[step])
		step++;
	return step;
}

uint64_t latency_total(const struct latency_histogram *histogram);

/* The duration below which `share` (0 to 1) of the counted ones lie, in nanoseconds, linear within
 * its step. The last step has no end, so its beginning is returned for it. 0 if nothing was
 * counted. */
double latency_percentile_ns(const struct latency_histogram *histogram, double share);

#endif
