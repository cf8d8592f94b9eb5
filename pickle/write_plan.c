#include "pickle/write_plan.h"

#include <stdio.h>
#include <stdlib.h>

/* Longest way from where a node belongs to its slot before the table mixes its numbers. */
#define PROBES_MAX 64

/* The slot of `node`, or the free one where it belongs. Nodes of a value mostly have consecutive
 * numbers: taken as they are, they have slots beside each other and none in common. If it is
 * otherwise, the table mixes them. */
static struct pickle_planned *slot_find(const struct pickle_plan *plan,
					const struct pickle_node *node, uint32_t *probes)
{
	uint64_t number = node->number;
	uint32_t i =
		(uint32_t)(plan->is_mixed ? number * UINT64_C(0x9e3779b97f4a7c15) >> 32 : number) &
		plan->mask;

	for (*probes = 0; plan->slots[i].node && plan->slots[i].node != node; (*probes)++)
		i = (i + 1) & plan->mask;
	return &plan->slots[i];
}

static bool lay_out(struct pickle_plan *plan, uint32_t mask, bool is_mixed)
{
	struct pickle_planned *old = plan->slots;
	size_t old_count = (size_t)plan->mask + 1;
	uint32_t probes;

	plan->slots = mask < UINT32_MAX / 2 ? calloc((size_t)mask + 1, sizeof(*old)) : NULL;
	if (!plan->slots) {
		plan->slots = old;
		return false;
	}
	plan->mask = mask;
	plan->is_mixed = is_mixed;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].node)
			*slot_find(plan, old[i].node, &probes) = old[i];
	if (old != plan->first_slots)
		free(old);
	return true;
}

static bool is_atom(const struct pickle_node *node)
{
	return node->kind == PICKLE_NONE || node->kind == PICKLE_BOOL || node->kind == PICKLE_INT ||
	       node->kind == PICKLE_FLOAT || (node->kind == PICKLE_TUPLE && node->items.count == 0);
}

/* ---- The walk ---- */

struct frame {
	const struct pickle_node *node;
	uint32_t next; /* its next part */
};

struct walk {
	struct pickle_plan *plan;
	struct frame *frames;
	uint32_t depth, room;
	bool is_cyclic, has_call;
};

static bool is_made_of_items(const struct pickle_node *node)
{
	return node->kind == PICKLE_TUPLE || node->kind == PICKLE_FROZENSET;
}

/* Part `i` of a call: operands, then those of its steps. NULL: there is no more, or (of the second
 * operand of a step) none. */
static const struct pickle_node *part_of_call(const struct pickle_call *call, uint32_t i,
					      bool *is_end)
{
	if (i == 0)
		return call->callable;
	if (i == 1)
		return call->arguments;
	if (i == 2 && call->keywords)
		return call->keywords;
	i -= call->keywords ? 3 : 2;
	*is_end = i / 2 >= call->step_count;
	if (*is_end)
		return NULL;
	return i % 2 ? call->steps[i / 2].second : call->steps[i / 2].first;
}

static const struct pickle_node *part_of(const struct pickle_node *node, uint32_t i, bool *is_end)
{
	*is_end = false;
	switch (node->kind) {
	case PICKLE_TUPLE:
	case PICKLE_FROZENSET:
	case PICKLE_LIST:
	case PICKLE_SET:
	case PICKLE_DICT:
		*is_end = i >= node->items.count;
		return *is_end ? NULL : node->items.list[i];
	case PICKLE_CALL:
		return part_of_call(node->call, i, is_end);
	default:
		*is_end = true;
		return NULL;
	}
}

/* Enters a node if it is new. `planned` may move. False: out of memory. */
static bool enter(struct walk *walk, const struct pickle_node *node)
{
	struct pickle_plan *plan = walk->plan;

	if (is_atom(node))
		return true;
	uint32_t probes;
	struct pickle_planned *planned = slot_find(plan, node, &probes);
	if (planned->node) {
		planned->is_shared = true;
		/* The walk is in it: it is part of itself. */
		walk->is_cyclic = walk->is_cyclic || planned->is_entered;
		if (planned->is_entered && is_made_of_items(node))
			plan->is_flat = true;
		return true;
	}

	if (walk->depth == walk->room) {
		uint32_t room = walk->room ? walk->room * 2 : 32;
		struct frame *grown =
			room < UINT32_MAX / 2 ? realloc(walk->frames, room * sizeof(*grown)) : NULL;
		if (!grown)
			return false;
		walk->frames = grown;
		walk->room = room;
	}
	if (walk->depth > PICKLE_DEPTH_MAX)
		plan->is_flat = true;
	walk->has_call = walk->has_call || node->kind == PICKLE_CALL;
	*planned = (struct pickle_planned){.node = node, .is_entered = true};
	walk->frames[walk->depth++] = (struct frame){.node = node};
	plan->count++;
	if (plan->count > plan->mask / 4 * 3)
		return lay_out(plan, plan->mask * 2 + 1, plan->is_mixed);
	return probes <= PROBES_MAX || plan->is_mixed || lay_out(plan, plan->mask, true);
}

static bool walk_all(struct walk *walk, const struct pickle_node *root)
{
	if (!enter(walk, root))
		return false;
	while (walk->depth > 0) {
		struct frame *frame = &walk->frames[walk->depth - 1];
		const struct pickle_node *node = frame->node;
		bool is_end;

		const struct pickle_node *part = part_of(node, frame->next++, &is_end);
		if (is_end) {
			pickle_plan_find(walk->plan, node)->is_entered = false;
			walk->depth--;
		} else if (part && !enter(walk, part))
			return false;
	}
	return true;
}

/* setter(object, state) names the object. */
static void share_set_states(struct pickle_plan *plan)
{
	for (size_t i = 0; i <= plan->mask; i++) {
		const struct pickle_node *node = plan->slots[i].node;

		if (!node || node->kind != PICKLE_CALL)
			continue;
		for (uint32_t step = 0; step < node->call->step_count; step++)
			if (node->call->steps[step].kind == PICKLE_SET_STATE)
				plan->slots[i].is_shared = true;
	}
}

bool pickle_plan_init(struct pickle_plan *plan, const struct pickle_node *root,
		      struct pickle_error *error)
{
	*plan = (struct pickle_plan){.slots = plan->first_slots,
				     .mask = sizeof(plan->first_slots) / sizeof(*plan->slots) - 1};

	struct walk walk = {.plan = plan};
	bool is_ok = walk_all(&walk, root);
	free(walk.frames);
	if (!is_ok) {
		*error = (struct pickle_error){.offset = root->offset, .text = "out of memory"};
		return false;
	}
	plan->is_flat = plan->is_flat || (walk.is_cyclic && walk.has_call);
	share_set_states(plan);
	return true;
}

void pickle_plan_deinit(struct pickle_plan *plan)
{
	if (plan->slots != plan->first_slots)
		free(plan->slots);
}

struct pickle_planned *pickle_plan_find(const struct pickle_plan *plan,
					const struct pickle_node *node)
{
	if (is_atom(node))
		return NULL;
	uint32_t probes;
	struct pickle_planned *planned = slot_find(plan, node, &probes);
	return planned->node ? planned : NULL;
}
