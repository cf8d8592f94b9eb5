#include "store/policy/expiry.h"

#include <stdlib.h>

#include "base/invariant.h"

#define CAPACITY_MIN 16

void expiry_deinit(struct expiry *expiry)
{
	free(expiry->slots);
	*expiry = (struct expiry){0};
}

static bool resize(struct expiry *expiry, size_t capacity)
{
	struct expiry_slot *slots = realloc(expiry->slots, capacity * sizeof(*slots));

	if (!slots)
		return false;
	expiry->slots = slots;
	expiry->capacity = capacity;
	return true;
}

bool expiry_reserve(struct expiry *expiry, size_t extra)
{
	size_t capacity = expiry->capacity ? expiry->capacity : CAPACITY_MIN;

	if (expiry->capacity - expiry->count >= extra)
		return true;
	while (capacity - expiry->count < extra)
		capacity += capacity / 2;
	return resize(expiry, capacity);
}

static void put(struct expiry *expiry, size_t at, struct expiry_slot slot)
{
	expiry->slots[at] = slot;
	slot.node->index = (uint32_t)at;
}

/* Moves the hole at `at` up or down to where `slot` belongs, and fills it. */
static void settle(struct expiry *expiry, size_t at, struct expiry_slot slot)
{
	struct expiry_slot *slots = expiry->slots;

	for (; at > 0 && slot.expires_at_us < slots[(at - 1) / 2].expires_at_us; at = (at - 1) / 2)
		put(expiry, at, slots[(at - 1) / 2]);
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < expiry->count &&
		    slots[child + 1].expires_at_us < slots[child].expires_at_us)
			child++;
		if (child >= expiry->count || slot.expires_at_us <= slots[child].expires_at_us)
			break;
		put(expiry, at, slots[child]);
		at = child;
	}
	put(expiry, at, slot);
}

void expiry_add(struct expiry *expiry, struct expiry_node *node, int64_t expires_at_us)
{
	struct expiry_slot slot = {.expires_at_us = expires_at_us, .node = node};

	INVARIANT(expiry->count < expiry->capacity);
	expiry->count++;
	settle(expiry, expiry->count - 1, slot);
}

void expiry_remove(struct expiry *expiry, struct expiry_node *node)
{
	size_t at = node->index;

	INVARIANT(at < expiry->count && expiry->slots[at].node == node);
	struct expiry_slot last = expiry->slots[--expiry->count];
	if (at < expiry->count)
		settle(expiry, at, last);
}

void expiry_trim(struct expiry *expiry)
{
	/* If this fails the heap is larger than necessary, and nothing else. */
	if (expiry->capacity > CAPACITY_MIN && expiry->count < expiry->capacity / 4)
		(void)resize(expiry, expiry->capacity / 2);
}

struct expiry_node *expiry_due(const struct expiry *expiry, int64_t now_us)
{
	if (expiry->count == 0 || expiry->slots[0].expires_at_us > now_us)
		return NULL;
	return expiry->slots[0].node;
}
