#include "backends/redis/clock.h"

/* Clocks that are adjusted run away from each other by half a millisecond a second at most. */
#define DRIFT_DIVISOR 2000
#define FRESH_US      INT64_C(3000000)

void redis_clock_learn(struct redis_clock *clock, int64_t there_us, int64_t sent_us,
		       int64_t received_us)
{
	int64_t offset_us = there_us - (sent_us + (received_us - sent_us) / 2);
	int64_t error_us = (received_us - sent_us) / 2 + 1;
	int64_t error_now_us = clock->error_us + (received_us - clock->learned_us) / DRIFT_DIVISOR;
	int64_t change_us = offset_us - clock->offset_us;

	/* A change beyond what both may be wrong: one of the clocks was set. */
	if (clock->is_known && error_us > error_now_us && change_us <= error_us + error_now_us &&
	    -change_us <= error_us + error_now_us) {
		clock->error_us = error_now_us;
		clock->learned_us = received_us;
		return;
	}
	*clock = (struct redis_clock){
		.is_known = true,
		.offset_us = offset_us,
		.error_us = error_us,
		.learned_us = received_us,
	};
}

bool redis_clock_is_fresh(const struct redis_clock *clock, int64_t now_us)
{
	return clock->is_known && now_us - clock->learned_us < FRESH_US;
}
