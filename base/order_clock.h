/* The clock by which entries are ordered for eviction: it never runs backwards.
 *
 * It is the wall clock for as long as that goes on. Where the wall clock is set back, this one goes
 * on from where it was, ahead of the wall clock from then on, at its pace; so what is used later is
 * still the later. Once the wall clock has caught up it is the wall clock again. Everything that
 * expires goes by the wall clock, and every time that a user sees is one of the wall clock: these
 * functions turn one into the other.
 *
 * Zeroed is valid. Any thread; nothing here waits. */
#ifndef STEADYCACHE_BASE_ORDER_CLOCK_H
#define STEADYCACHE_BASE_ORDER_CLOCK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The latest reading is written down when it has grown by this much, so that readings do not all
 * write to one place. */
#define ORDER_CLOCK_GRAIN_US INT64_C(1000)

struct order_clock {
	_Atomic int64_t ahead_us;  /* of the wall clock */
	_Atomic int64_t since_us;  /* readings from here on were that much ahead */
	_Atomic int64_t latest_us; /* no reading was later by ORDER_CLOCK_GRAIN_US or more */
};

/* order_clock_at's rarer part. */
int64_t order_clock_advance(struct order_clock *clock, int64_t wall_us);

/* The reading where the wall clock shows `wall_us`. */
static inline int64_t order_clock_at(struct order_clock *clock, int64_t wall_us)
{
	int64_t order_us = wall_us + atomic_load_explicit(&clock->ahead_us, memory_order_relaxed);
	int64_t latest_us = atomic_load_explicit(&clock->latest_us, memory_order_relaxed);

	if (order_us >= latest_us && order_us - latest_us < ORDER_CLOCK_GRAIN_US)
		return order_us;
	return order_clock_advance(clock, wall_us);
}

/* Readings are never before `order_us` any more: one of an earlier process, or of another. */
void order_clock_reach(struct order_clock *clock, int64_t order_us);

/* The `count` uses of one operation follow each other: the first has the reading `order_us`, each
 * other one that is later by 1, and what comes behind them is later than all. One alone needs no
 * such step, as the next reading is not before it. */
static inline void order_clock_pass(struct order_clock *clock, int64_t order_us, size_t count)
{
	if (count > 1)
		order_clock_reach(clock, order_us + (int64_t)count);
}

/* What a clock was like, to be kept over the end of the process. */
struct order_clock_state {
	int64_t ahead_us, since_us, latest_us;
};

void order_clock_save(const struct order_clock *clock, struct order_clock_state *ret);
/* Of a clock that nobody has read yet. */
void order_clock_restore(struct order_clock *clock, const struct order_clock_state *state);

/* The reading that belongs to a time of the past, now being `wall_us`. What is not past is now. */
int64_t order_clock_of_past(struct order_clock *clock, int64_t then_us, int64_t wall_us);

/* The time that belongs to a reading, never later than `wall_us`, which is now. */
int64_t order_clock_to_wall(const struct order_clock *clock, int64_t order_us, int64_t wall_us);

#endif
