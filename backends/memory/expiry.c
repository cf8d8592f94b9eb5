#include "backends/memory/expiry.h"

#include <stdlib.h>

#define CAPACITY_MIN 16

void expiry_deinit(struct expiry *expiry)
{
	free(expiry->nodes);
	*expiry = (struct expiry){0};
}

static bool resize(struct expiry *expiry, size_t capacity)
{
	struct expiry_node *nodes = realloc(expiry->nodes, capacity * sizeof(*nodes));

	if (!nodes)
		return false;
	expiry->nodes = nodes;
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

static void put(struct expiry *expiry, size_t at, struct expiry_node node)
{
	expiry->nodes[at] = node;
	entry_tail(node.entry)->expiry_index = (uint32_t)at;
}

/* Moves the hole at `at` up or down to where `node` belongs, and fills it. */
static void settle(struct expiry *expiry, size_t at, struct expiry_node node)
{
	struct expiry_node *nodes = expiry->nodes;

	for (; at > 0 && node.expires_at_us < nodes[(at - 1) / 2].expires_at_us; at = (at - 1) / 2)
		put(expiry, at, nodes[(at - 1) / 2]);
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < expiry->count &&
		    nodes[child + 1].expires_at_us < nodes[child].expires_at_us)
			child++;
		if (child >= expiry->count || node.expires_at_us <= nodes[child].expires_at_us)
			break;
		put(expiry, at, nodes[child]);
		at = child;
	}
	put(expiry, at, node);
}

void expiry_add(struct expiry *expiry, struct entry *entry)
{
	struct expiry_node node = {
		.expires_at_us = entry_value(entry)->expires_at_us,
		.entry = entry,
	};

	expiry->count++;
	settle(expiry, expiry->count - 1, node);
}

void expiry_remove(struct expiry *expiry, struct entry *entry)
{
	size_t at = entry_tail(entry)->expiry_index;
	struct expiry_node last = expiry->nodes[--expiry->count];

	if (at < expiry->count)
		settle(expiry, at, last);
}

void expiry_trim(struct expiry *expiry)
{
	/* Where this fails the heap is larger than it need be, and nothing else. */
	if (expiry->capacity > CAPACITY_MIN && expiry->count < expiry->capacity / 4)
		(void)resize(expiry, expiry->capacity / 2);
}

struct entry *expiry_due(const struct expiry *expiry, int64_t now_us)
{
	if (expiry->count == 0 || expiry->nodes[0].expires_at_us > now_us)
		return NULL;
	return expiry->nodes[0].entry;
}
