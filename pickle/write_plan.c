#include "pickle/write_plan.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of any opcode with a fixed operand (the longest: LONG1 of 8 bytes), and as much for its
 * place in the memo. */
#define OPCODE_LEN 16

static uint32_t slot_of(uint32_t key, uint32_t mask)
{
	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
}

/* The slot of `key`, or the free one where it belongs. */
static struct pickle_planned *slot_find(struct pickle_planned *slots, uint32_t mask, uint32_t key)
{
	uint32_t i = slot_of(key, mask);

	while (slots[i].key != 0 && slots[i].key != key)
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
		if (plan->slots[i].key != 0)
			*slot_find(slots, mask, plan->slots[i].key) = plan->slots[i];
	pickle_plan_deinit(plan);
	plan->slots = slots;
	plan->mask = mask;
	return true;
}

static bool fail(const struct pickle_node *node, const char *text, struct pickle_error *error)
{
	error->offset = node->offset;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return false;
}

struct walk {
	struct pickle_plan *plan;
	struct pickle_error *error;
};

static bool visit(struct walk *walk, const struct pickle_node *node, unsigned depth);

static bool visit_items(struct walk *walk, const struct pickle_items *items, unsigned depth)
{
	for (uint32_t i = 0; i < items->count; i++)
		if (!visit(walk, items->list[i], depth))
			return false;
	return true;
}

/* The node can be named from here on: it is in the memo, even if its contents are not complete. */
static void close(struct walk *walk, const struct pickle_node *node)
{
	pickle_plan_find(walk->plan, node)->is_open = false;
}

static bool visit_call(struct walk *walk, const struct pickle_node *node, unsigned depth)
{
	const struct pickle_call *call = node->call;

	if (!visit(walk, call->callable, depth) || !visit(walk, call->arguments, depth) ||
	    (call->keywords && !visit(walk, call->keywords, depth)))
		return false;
	close(walk, node);
	for (uint32_t i = 0; i < call->step_count; i++) {
		const struct pickle_step *step = &call->steps[i];

		walk->plan->len_max += 2 * OPCODE_LEN;
		if (step->kind == PICKLE_SET_STATE) /* has the object as an argument */
			pickle_plan_find(walk->plan, node)->is_shared = true;
		if (!visit(walk, step->first, depth) ||
		    (step->second && !visit(walk, step->second, depth)))
			return false;
	}
	return true;
}

/* Visits what `node`, which is new, contains. */
static bool visit_contents(struct walk *walk, const struct pickle_node *node, unsigned depth)
{
	switch (node->kind) {
	case PICKLE_LONG:
	case PICKLE_STR:
	case PICKLE_BYTES:
	case PICKLE_BYTEARRAY:
		walk->plan->len_max += node->bytes.len;
		return true;
	case PICKLE_GLOBAL:
		walk->plan->len_max += node->global->module.len + node->global->name.len;
		return true;
	case PICKLE_LIST:
	case PICKLE_SET:
	case PICKLE_DICT:
		close(walk, node);
		return visit_items(walk, &node->items, depth);
	case PICKLE_TUPLE:
	case PICKLE_FROZENSET:
		if (!visit_items(walk, &node->items, depth))
			return false;
		close(walk, node);
		return true;
	case PICKLE_CALL:
		return visit_call(walk, node, depth);
	case PICKLE_NONE:
	case PICKLE_BOOL:
	case PICKLE_INT:
	case PICKLE_FLOAT:
		break;
	}
	return true;
}

static bool is_atom(const struct pickle_node *node)
{
	return node->kind == PICKLE_NONE || node->kind == PICKLE_BOOL || node->kind == PICKLE_INT ||
	       node->kind == PICKLE_FLOAT || (node->kind == PICKLE_TUPLE && node->items.count == 0);
}

static bool visit(struct walk *walk, const struct pickle_node *node, unsigned depth)
{
	struct pickle_plan *plan = walk->plan;

	plan->len_max += OPCODE_LEN;
	if (is_atom(node))
		return true;

	uint32_t key = node->number + 1;
	struct pickle_planned *planned = slot_find(plan->slots, plan->mask, key);
	if (planned->key == key) {
		planned->is_shared = true;
		plan->is_recursive |= planned->is_open;
		return true;
	}
	if (depth > PICKLE_DEPTH_MAX)
		return fail(node, "nested deeper than 1000 levels", walk->error);
	*planned = (struct pickle_planned){.key = key, .is_open = true};
	plan->count++;
	if (plan->count > plan->mask / 4 * 3 && !grow(plan))
		return fail(node, "out of memory", walk->error);
	return visit_contents(walk, node, depth + 1);
}

bool pickle_plan_init(struct pickle_plan *plan, const struct pickle_node *root,
		      struct pickle_error *error)
{
	struct walk walk = {.plan = plan, .error = error};

	*plan = (struct pickle_plan){.slots = plan->first_slots,
				     .mask = sizeof(plan->first_slots) / sizeof(*plan->slots) - 1};
	return visit(&walk, root, 0);
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
	struct pickle_planned *planned = slot_find(plan->slots, plan->mask, node->number + 1);
	return planned->key ? planned : NULL;
}
