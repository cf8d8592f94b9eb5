/* The engine's clock, as far as its replies tell it: entries expire by that. I/O thread. */
#ifndef STEADYCACHE_REDIS_CLOCK_H
#define STEADYCACHE_REDIS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed: nothing is known. Times are microseconds, here ones monotonic. */
struct redis_clock {
	bool is_known;
	int64_t offset_us;  /* the engine's time less ours */
	int64_t error_us;   /* by how much it may be wrong */
	int64_t learned_us; /* when it was learned */
};

/* The engine's clock was `there_us` at some moment between `sent_us` and `received_us`. */
void redis_clock_learn(struct redis_clock *clock, int64_t there_us, int64_t sent_us,
		       int64_t received_us);

/* Whether it was learned so lately that reads may go by it. */
bool redis_clock_is_fresh(const struct redis_clock *clock, int64_t now_us);

/* The engine's time at `now_us`; 0 while nothing is known. */
static inline int64_t redis_clock_there_us(const struct redis_clock *clock, int64_t now_us)
{
	return clock->is_known ? now_us + clock->offset_us : 0;
}

#endif
