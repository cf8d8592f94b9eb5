#include "backends/memory/alarms.h"

#include <stdlib.h>

#include "base/invariant.h"

#define CAPACITY_MIN 16

void alarms_deinit(struct alarms *alarms)
{
	free(alarms->slots);
	*alarms = (struct alarms){0};
}

bool alarms_reserve(struct alarms *alarms, size_t extra)
{
	size_t capacity = alarms->capacity ? alarms->capacity : CAPACITY_MIN;

	if (alarms->capacity - alarms->count >= extra)
		return true;
	while (capacity - alarms->count < extra)
		capacity += capacity / 2;
	struct alarm_slot *slots = realloc(alarms->slots, capacity * sizeof(*slots));
	if (!slots)
		return false;
	alarms->slots = slots;
	alarms->capacity = capacity;
	return true;
}

void alarms_add(struct alarms *alarms, int64_t due_us, uint64_t hash)
{
	struct alarm_slot *slots = alarms->slots;
	size_t at = alarms->count++;

	INVARIANT(alarms->count <= alarms->capacity);
	for (; at > 0 && due_us < slots[(at - 1) / 2].due_us; at = (at - 1) / 2)
		slots[at] = slots[(at - 1) / 2];
	slots[at] = (struct alarm_slot){.due_us = due_us, .hash = hash};
}

bool alarms_take_due(struct alarms *alarms, int64_t now_us, struct alarm_slot *ret)
{
	struct alarm_slot *slots = alarms->slots;
	size_t at = 0;

	if (alarms->count == 0 || slots[0].due_us > now_us)
		return false;
	*ret = slots[0];
	struct alarm_slot last = slots[--alarms->count];
	for (size_t child; (child = 2 * at + 1) < alarms->count; at = child) {
		child += child + 1 < alarms->count && slots[child + 1].due_us < slots[child].due_us;
		if (last.due_us <= slots[child].due_us)
			break;
		slots[at] = slots[child];
	}
	slots[at] = last;
	return true;
}
