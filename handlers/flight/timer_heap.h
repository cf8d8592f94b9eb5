/* Timers in a binary heap, the earliest first. Not thread-safe: its owner has a lock. */
#ifndef STEADYCACHE_HANDLERS_TIMER_HEAP_H
#define STEADYCACHE_HANDLERS_TIMER_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of the struct that the timer ends, which is found by the offset. Zeroed: stopped. */
struct heap_timer {
	int64_t at_us;
	size_t place;  /* in the heap, from 1; 0: not in it */
	unsigned kind; /* chosen by the owner: what the timer is part of */
};

/* Zeroed: empty. */
struct timer_heap {
	struct heap_timer **slots; /* from 1 */
	size_t count, size;
};

void timer_heap_deinit(struct timer_heap *heap);
/* Makes room for one more timer. False: out of memory. */
bool timer_heap_reserve(struct timer_heap *heap);
/* Starts a stopped timer; there must be room. True: it is the earliest. */
bool timer_heap_start(struct timer_heap *heap, struct heap_timer *timer, int64_t at_us);
/* Stopping a stopped timer is allowed. */
void timer_heap_stop(struct timer_heap *heap, struct heap_timer *timer);

#endif
