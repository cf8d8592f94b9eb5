#include "base/order_clock.h"

#include <stdbool.h>

/* A reading may be this much before the latest one, because another thread was faster or the
 * clock was adjusted a little: it counts as the latest. Beyond that, the clock was set back. */
#define SET_BACK_US INT64_C(100000)

static int64_t load(const _Atomic int64_t *member)
{
	return atomic_load_explicit(member, memory_order_relaxed);
}

void order_clock_reach(struct order_clock *clock, int64_t order_us)
{
	int64_t latest_us = load(&clock->latest_us);

	while (latest_us < order_us &&
	       !atomic_compare_exchange_weak(&clock->latest_us, &latest_us, order_us))
		;
}

int64_t order_clock_advance(struct order_clock *clock, int64_t wall_us)
{
	int64_t ahead_us = load(&clock->ahead_us);
	int64_t latest_us = load(&clock->latest_us);
	int64_t order_us = wall_us + ahead_us;

	if (ahead_us > 0 && wall_us >= latest_us + ORDER_CLOCK_GRAIN_US) {
		/* The wall clock has caught up. */
		(void)atomic_compare_exchange_strong(&clock->ahead_us, &ahead_us, 0);
		order_us = wall_us;
	}
	if (order_us >= latest_us) {
		order_clock_reach(clock, order_us);
		return order_us;
	}
	if (latest_us - order_us <= SET_BACK_US)
		return latest_us;
	/* The clock was set back. One of the threads that see it does this. */
	order_us = latest_us + ORDER_CLOCK_GRAIN_US;
	if (atomic_compare_exchange_strong(&clock->ahead_us, &ahead_us, order_us - wall_us)) {
		atomic_store(&clock->since_us, order_us);
		order_clock_reach(clock, order_us);
	}
	return order_us;
}

void order_clock_save(const struct order_clock *clock, struct order_clock_state *ret)
{
	*ret = (struct order_clock_state){
		.ahead_us = load(&clock->ahead_us),
		.since_us = load(&clock->since_us),
		.latest_us = load(&clock->latest_us),
	};
}

void order_clock_restore(struct order_clock *clock, const struct order_clock_state *state)
{
	atomic_store(&clock->ahead_us, state->ahead_us);
	atomic_store(&clock->since_us, state->since_us);
	atomic_store(&clock->latest_us, state->latest_us);
}

int64_t order_clock_of_past(struct order_clock *clock, int64_t then_us, int64_t wall_us)
{
	int64_t ahead_us = load(&clock->ahead_us);

	if (then_us >= wall_us)
		return order_clock_at(clock, wall_us);
	/* A time before the clock was set back keeps the reading that it had then. */
	if (ahead_us > 0 && then_us + ahead_us >= load(&clock->since_us))
		return then_us + ahead_us;
	return then_us;
}

int64_t order_clock_to_wall(const struct order_clock *clock, int64_t order_us, int64_t wall_us)
{
	int64_t ahead_us = load(&clock->ahead_us);

	if (ahead_us > 0 && order_us >= load(&clock->since_us))
		order_us -= ahead_us;
	return order_us < wall_us ? order_us : wall_us;
}
