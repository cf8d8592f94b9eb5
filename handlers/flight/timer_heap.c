#include "handlers/flight/timer_heap.h"

#include <stdlib.h>

#include "base/array.h"
#include "base/invariant.h"

static void put_slot(struct timer_heap *heap, size_t place, struct heap_timer *timer)
{
	heap->slots[place] = timer;
	timer->place = place;
}

/* Puts `timer` in its position, up or down from the free `place`. */
static void sift(struct timer_heap *heap, size_t place, struct heap_timer *timer)
{
	struct heap_timer *const *slots = heap->slots;

	for (; place > 1 && slots[place / 2]->at_us > timer->at_us; place /= 2)
		put_slot(heap, place, slots[place / 2]);
	for (size_t child; (child = place * 2) <= heap->count; place = child) {
		if (child < heap->count && slots[child + 1]->at_us < slots[child]->at_us)
			child++;
		if (slots[child]->at_us >= timer->at_us)
			break;
		put_slot(heap, place, slots[child]);
	}
	put_slot(heap, place, timer);
}

void timer_heap_deinit(struct timer_heap *heap)
{
	free(heap->slots);
}

bool timer_heap_reserve(struct timer_heap *heap)
{
	struct heap_timer **slots =
		array_with_room(heap->slots, heap->count + 1, &heap->size, sizeof(*slots));

	if (slots)
		heap->slots = slots;
	return slots != NULL;
}

bool timer_heap_start(struct timer_heap *heap, struct heap_timer *timer, int64_t at_us)
{
	INVARIANT(timer->place == 0);
	INVARIANT(heap->count + 1 < heap->size);
	timer->at_us = at_us;
	heap->count++;
	sift(heap, heap->count, timer);
	return timer->place == 1;
}

void timer_heap_stop(struct timer_heap *heap, struct heap_timer *timer)
{
	size_t place = timer->place;

	if (place == 0)
		return;
	INVARIANT(heap->slots[place] == timer);
	timer->place = 0;
	struct heap_timer *last = heap->slots[heap->count--];
	if (last != timer)
		sift(heap, place, last);
}
