/* The clock by which entries are ordered for eviction: it never runs backwards.
 *
 * It is the wall clock as long as that runs forward. If the wall clock is set back, this one
 * continues from where it was, ahead of the wall clock but at its pace, so that later uses still
 * have later readings. Once the wall clock has caught up, the two are the same again. Expiry
 * uses the wall clock, and users only see times of the wall clock: these functions convert
 * between the two.
 *
 * A zeroed clock is valid. Any thread; nothing here waits. */
#ifndef STEADYCACHE_BASE_ORDER_CLOCK_H
#define STEADYCACHE_BASE_ORDER_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The latest reading is stored each time it has grown by this much, so that not every reading
 * writes to the same place. */
#define ORDER_CLOCK_GRAIN_US INT64_C(1000)

struct order_clock {
	_Atomic int64_t ahead_us;  /* how far ahead of the wall clock */
	_Atomic int64_t since_us;  /* readings from here on were ahead by ahead_us */
	_Atomic int64_t latest_us; /* no reading was later by ORDER_CLOCK_GRAIN_US or more */
};

/* The rarer part of order_clock_at. */
int64_t order_clock_advance(struct order_clock *clock, int64_t wall_us);

/* The reading while the wall clock shows `wall_us`. */
static inline int64_t order_clock_at(struct order_clock *clock, int64_t wall_us)
{
	int64_t order_us = wall_us + atomic_load_explicit(&clock->ahead_us, memory_order_relaxed);
	int64_t latest_us = atomic_load_explicit(&clock->latest_us, memory_order_relaxed);

	if (order_us >= latest_us && order_us - latest_us < ORDER_CLOCK_GRAIN_US)
		return order_us;
	return order_clock_advance(clock, wall_us);
}

/* Readings are no longer before `order_us`, which is one of an earlier process, or of another. */
void order_clock_reach(struct order_clock *clock, int64_t order_us);

/* Orders the `count` uses of one operation: the first has the reading `order_us`, each next one
 * is later by 1, and all further readings are later than these. A single use needs no such step,
 * because the next reading is not before it. */
static inline void order_clock_pass(struct order_clock *clock, int64_t order_us, size_t count)
{
	if (count > 1)
		order_clock_reach(clock, order_us + (int64_t)count);
}

/* The state of a clock, to be kept beyond the end of the process. */
struct order_clock_state {
	int64_t ahead_us, since_us, latest_us;
};

void order_clock_save(const struct order_clock *clock, struct order_clock_state *ret);
/* Call this before anybody reads the clock. */
void order_clock_restore(struct order_clock *clock, const struct order_clock_state *state);

/* The reading for a past time, if it is now `wall_us`. A time that is not past counts as now. */
int64_t order_clock_of_past(struct order_clock *clock, int64_t then_us, int64_t wall_us);

/* The time that belongs to a reading, but never later than `wall_us`, which is now. */
int64_t order_clock_to_wall(const struct order_clock *clock, int64_t order_us, int64_t wall_us);

#endif
