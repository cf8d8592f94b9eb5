#include "server/log/log_rate.h"

#include "base/clock.h"

#define COUNT_BITS 16
#define COUNT_MASK UINT64_C(0xFFFF)

static uint64_t second_of(int64_t now_ns)
{
	return (uint64_t)(now_ns / NS_PER_S);
}

bool log_rate_take(struct log_rate *rate, int64_t now_ns)
{
	uint64_t second = second_of(now_ns);
	uint64_t before = atomic_load(&rate->window);
	uint64_t after;

	do {
		/* A thread that read the clock a moment before another counts towards the other's
		 * second. */
		if (before >> COUNT_BITS < second)
			after = (second << COUNT_BITS) + 1;
		else if ((before & COUNT_MASK) < LOG_RATE_LINES_PER_S)
			after = before + 1;
		else
			break;
	} while (!atomic_compare_exchange_weak(&rate->window, &before, after));
	if (before >> COUNT_BITS < second || (before & COUNT_MASK) < LOG_RATE_LINES_PER_S)
		return true;
	(void)atomic_fetch_add(&rate->left_out, 1);
	return false;
}

uint64_t log_rate_left_out(struct log_rate *rate, int64_t now_ns)
{
	if (atomic_load_explicit(&rate->left_out, memory_order_relaxed) == 0 ||
	    atomic_load(&rate->window) >> COUNT_BITS >= second_of(now_ns))
		return 0;
	return atomic_exchange(&rate->left_out, 0);
}
