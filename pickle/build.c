#include "pickle/build.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_MIN_NODES 16u
#define SLAB_MAX_NODES 4096u
#define ITEMS_MIN      4u

struct pickle *pickle_build(size_t limit_bytes)
{
	struct pickle *pickle = calloc(1, sizeof(*pickle));

	if (!pickle)
		return NULL;
	pickle->budget.limit_bytes = limit_bytes;
	pickle_arena_init(&pickle->arena, &pickle->budget);
	return pickle;
}

static struct pickle_slab *add_slab(struct pickle *pickle)
{
	uint32_t room = pickle->last ? pickle->last->room * 2 : SLAB_MIN_NODES;

	if (room > SLAB_MAX_NODES)
		room = SLAB_MAX_NODES;
	struct pickle_slab *slab = pickle_arena_alloc(
		&pickle->arena, sizeof(*slab) + room * sizeof(struct pickle_node));
	if (!slab)
		return NULL;
	*slab = (struct pickle_slab){.previous = pickle->last, .room = room};
	if (pickle->last)
		pickle->last->next = slab;
	else
		pickle->first = slab;
	pickle->last = slab;
	return slab;
}

struct pickle_node *pickle_build_node(struct pickle *pickle, enum pickle_kind kind, uint64_t offset)
{
	struct pickle_slab *slab = pickle->last;

	if (!slab || slab->count == slab->room)
		slab = pickle->node_count < UINT32_MAX - SLAB_MAX_NODES ? add_slab(pickle) : NULL;
	if (!slab)
		return NULL;
	struct pickle_node *node = &slab->nodes[slab->count++];
	memset(node, 0, sizeof(*node));
	node->kind = kind;
	node->number = pickle->node_count++;
	node->offset = offset;
	return node;
}

struct pickle_node *pickle_build_single(struct pickle *pickle, enum pickle_single which,
					uint64_t offset)
{
	static const enum pickle_kind kinds[PICKLE_SINGLE_COUNT] = {
		[PICKLE_SINGLE_NONE] = PICKLE_NONE,
		[PICKLE_SINGLE_FALSE] = PICKLE_BOOL,
		[PICKLE_SINGLE_TRUE] = PICKLE_BOOL,
		[PICKLE_SINGLE_TUPLE] = PICKLE_TUPLE,
	};

	if (!pickle->singles[which]) {
		struct pickle_node *node = pickle_build_node(pickle, kinds[which], offset);

		if (node && which == PICKLE_SINGLE_TRUE)
			node->integer = 1;
		pickle->singles[which] = node;
	}
	return pickle->singles[which];
}

/* Room for `count` more after the first `used` of `list`, doubled in steps so that growing is
 * linear in all; *room is in things of `size` bytes. NULL: out of memory. */
static void *with_room(struct pickle *pickle, void *list, uint32_t used, uint32_t *room,
		       size_t count, size_t size)
{
	if (count <= *room - used)
		return list;
	if (count > UINT32_MAX - used)
		return NULL;

	uint32_t wanted = used + (uint32_t)count;
	/* The first run is often all there is. */
	if (used > 0 && wanted < *room + *room / 2 + ITEMS_MIN && *room < UINT32_MAX / 2)
		wanted = *room + *room / 2 + ITEMS_MIN;
	void *grown = pickle_arena_grow(&pickle->arena, list, *room * size, wanted * size);
	if (grown)
		*room = wanted;
	return grown;
}

/* The slot before the list says how many slots there are, itself included. */
bool pickle_build_items(struct pickle *pickle, struct pickle_items *items,
			struct pickle_node *const *list, size_t count)
{
	struct pickle_node **slots = items->list ? items->list - 1 : NULL;
	uint32_t room = 0, used = slots ? items->count + 1 : 0;

	if (count == 0)
		return true;
	if (slots)
		memcpy(&room, slots, sizeof(room));
	slots = with_room(pickle, slots, used, &room, slots ? count : count + 1, sizeof(*slots));
	if (!slots)
		return false;
	memcpy(slots, &room, sizeof(room));
	items->list = slots + 1;
	memcpy(&items->list[items->count], list, count * sizeof(*list));
	items->count += (uint32_t)count;
	items->made = pickle->node_count;
	return true;
}

bool pickle_build_step(struct pickle *pickle, struct pickle_call *call, struct pickle_step step)
{
	struct pickle_step *grown =
		with_room(pickle, call->steps, call->step_count, &call->step_room, 1, sizeof(step));

	if (!grown)
		return false;
	call->steps = grown;
	step.made = pickle->node_count;
	call->steps[call->step_count++] = step;
	return true;
}
