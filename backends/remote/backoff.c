#include "backends/remote/backoff.h"

int64_t remote_backoff_us(unsigned attempt, uint64_t random)
{
	int64_t bound_us = BACKOFF_MAX_US;

	if (attempt >= 1 && attempt <= 6)
		bound_us = BACKOFF_BASE_US << (attempt - 1);
	if (bound_us > BACKOFF_MAX_US)
		bound_us = BACKOFF_MAX_US;
	return (int64_t)(random % (uint64_t)(bound_us + 1));
}

uint64_t remote_backoff_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

int64_t remote_backoff_pause_us(unsigned failures, int64_t min_us, int64_t max_us, uint64_t *random)
{
	int64_t bound_us = min_us;

	for (unsigned i = 0; i < failures && bound_us < max_us; i++)
		bound_us *= 2;
	if (bound_us > max_us)
		bound_us = max_us;
	return bound_us - (int64_t)(remote_backoff_random(random) % (uint64_t)bound_us) / 2;
}
