#include "backends/redis/due.h"

#include <stdlib.h>

static void place(struct redis_due *due, size_t i, struct redis_part *part)
{
	due->parts[i] = part;
	part->due_place = i + 1;
}

/* Moves `part` from place `i` to where it belongs. */
static void settle(struct redis_due *due, size_t i, struct redis_part *part)
{
	while (i > 0 && due->parts[(i - 1) / 2]->due_us > part->due_us) {
		place(due, i, due->parts[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (size_t child; (child = 2 * i + 1) < due->count; i = child) {
		if (child + 1 < due->count &&
		    due->parts[child + 1]->due_us < due->parts[child]->due_us)
			child++;
		if (due->parts[child]->due_us >= part->due_us)
			break;
		place(due, i, due->parts[child]);
	}
	place(due, i, part);
}

static bool grow(struct redis_due *due)
{
	size_t capacity = due->capacity ? 2 * due->capacity : 64;
	struct redis_part **grown = realloc(due->parts, capacity * sizeof(struct redis_part *));

	if (!grown)
		return false;
	due->parts = grown;
	due->capacity = capacity;
	return true;
}

void redis_due_deinit(struct redis_due *due)
{
	free(due->parts);
	*due = (struct redis_due){0};
}

void redis_due_put(struct redis_due *due, struct redis_part *part, int64_t at_us)
{
	if (part->due_place == 0) {
		if (due->count == due->capacity && !grow(due))
			return;
		part->due_place = ++due->count;
	}
	part->due_us = at_us;
	settle(due, part->due_place - 1, part);
}

void redis_due_remove(struct redis_due *due, struct redis_part *part)
{
	size_t i = part->due_place;

	if (i == 0)
		return;
	struct redis_part *last = due->parts[--due->count];
	if (last != part)
		settle(due, i - 1, last);
	part->due_place = 0;
}
