#include "pickle/write_plan.h"

#include <stdio.h>
#include <stdlib.h>

/* The slot of `node`, or the free one where it belongs. */
static struct pickle_planned *slot_find(struct pickle_planned *slots, uint32_t mask,
					const struct pickle_node *node)
{
	uint32_t i = (uint32_t)(node->number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (slots[i].node && slots[i].node != node)
		i = (i + 1) & mask;
	return &slots[i];
}

static bool grow(struct pickle_plan *plan)
{
	uint32_t mask = plan->mask * 2 + 1;
	struct pickle_planned *slots =
		mask < UINT32_MAX / 2 ? calloc((size_t)mask + 1, sizeof(*slots)) : NULL;

	if (!slots)
		return false;
	for (size_t i = 0; i <= plan->mask; i++)
		if (plan->slots[i].node)
			*slot_find(slots, mask, plan->slots[i].node) = plan->slots[i];
	pickle_plan_deinit(plan);
	plan->slots = slots;
	plan->mask = mask;
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
	/* Depth, plus 1, of the nearest call, from here to the root, in whose operands the walk is;
	 * 0: none. */
	uint32_t open_call;
};

struct walk {
	struct pickle_plan *plan;
	struct frame *frames;
	uint32_t depth, room;
};

static uint32_t operand_count(const struct pickle_call *call)
{
	return call->keywords ? 3 : 2;
}

static bool is_made_of_parts(const struct pickle_node *node)
{
	return node->kind == PICKLE_TUPLE || node->kind == PICKLE_FROZENSET ||
	       node->kind == PICKLE_CALL;
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
	i -= operand_count(call);
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
	uint32_t open_call = walk->depth ? walk->frames[walk->depth - 1].open_call : 0;
	struct pickle_planned *planned = slot_find(plan->slots, plan->mask, node);
	if (planned->node) {
		planned->is_shared = true;
		/* The walk is in it already: it is part of itself. */
		if (planned->memo && (planned->is_open || planned->memo < open_call))
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
	*planned = (struct pickle_planned){
		.node = node, .memo = walk->depth + 1, .is_open = is_made_of_parts(node)};
	walk->frames[walk->depth++] = (struct frame){
		.node = node, .open_call = node->kind == PICKLE_CALL ? walk->depth + 1 : open_call};
	plan->count++;
	return plan->count <= plan->mask / 4 * 3 || grow(plan);
}

/* What comes next in the node on top: steps of a call change it after it is made. */
static void advance(struct walk *walk, struct frame *frame)
{
	if (frame->node->kind != PICKLE_CALL || frame->next != operand_count(frame->node->call))
		return;
	pickle_plan_find(walk->plan, frame->node)->is_open = false;
	frame->open_call = walk->depth > 1 ? frame[-1].open_call : 0;
}

static bool walk_all(struct walk *walk, const struct pickle_node *root)
{
	if (!enter(walk, root))
		return false;
	while (walk->depth > 0) {
		struct frame *frame = &walk->frames[walk->depth - 1];
		bool is_end;

		advance(walk, frame);
		const struct pickle_node *part = part_of(frame->node, frame->next++, &is_end);
		if (is_end) {
			struct pickle_planned *planned = pickle_plan_find(walk->plan, frame->node);

			planned->is_open = false;
			planned->memo = 0;
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
	struct pickle_planned *planned = slot_find(plan->slots, plan->mask, node);
	return planned->node ? planned : NULL;
}
