#include "handlers/flight/timer_heap.h"

#include <stdlib.h>

#include "base/array.h"

static void put_slot(struct timer_heap *heap, size_t place, struct heap_slot slot)
{
	heap->slots[place] = slot;
	slot.timer->place = place;
}

/* Puts `slot` where it belongs, up or down from the free `place`. */
static void sift(struct timer_heap *heap, size_t place, struct heap_slot slot)
{
	const struct heap_slot *slots = heap->slots;

	for (; place > 1 && slots[place / 2].timer->at_us > slot.timer->at_us; place /= 2)
		put_slot(heap, place, slots[place / 2]);
	for (size_t child; (child = place * 2) <= heap->count; place = child) {
		if (child < heap->count &&
		    slots[child + 1].timer->at_us < slots[child].timer->at_us)
			child++;
		if (slots[child].timer->at_us >= slot.timer->at_us)
			break;
		put_slot(heap, place, slots[child]);
	}
	put_slot(heap, place, slot);
}

void timer_heap_deinit(struct timer_heap *heap)
{
	free(heap->slots);
}

bool timer_heap_reserve(struct timer_heap *heap)
{
	struct heap_slot *slots =
		array_with_room(heap->slots, heap->count + 1, &heap->size, sizeof(*slots));

	if (slots)
		heap->slots = slots;
	return slots != NULL;
}

bool timer_heap_start(struct timer_heap *heap, struct heap_timer *timer, int64_t at_us,
		      bool is_lease)
{
	timer->at_us = at_us;
	heap->count++;
	sift(heap, heap->count, (struct heap_slot){.timer = timer, .is_lease = is_lease});
	return timer->place == 1;
}

void timer_heap_stop(struct timer_heap *heap, struct heap_timer *timer)
{
	size_t place = timer->place;

	if (place == 0)
		return;
	timer->place = 0;
	struct heap_slot last = heap->slots[heap->count--];
	if (last.timer != timer)
		sift(heap, place, last);
}
