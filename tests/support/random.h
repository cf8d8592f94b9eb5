/* Pseudo-random numbers, the same in each run. One sequence per test program; main thread only. */
#ifndef STEADYCACHE_TEST_RANDOM_H
#define STEADYCACHE_TEST_RANDOM_H

#include <stdint.h>

/* xorshift64 (Marsaglia 2003). */
static inline uint64_t random_below(uint64_t n)
{
	static uint64_t state = UINT64_C(88172645463325252);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

#endif
