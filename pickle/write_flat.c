/* Values that are part of themselves are made by calls in an order that matters: what such a call
 * is given may not be complete yet, and it depends on the class whether that is harmless. So all is
 * made in the order in which the pickle that was read made it, one after the other, and without
 * nesting: each node is put into the memo and dropped from the stack, and taken from the memo where
 * it is used.
 *
 * The order is that of the numbers of nodes, and of the changes to lists, dicts, sets and calls,
 * which tell how many nodes were there. Changes between the same two nodes go from the younger
 * object to the older, as a pickler ends with the inner one first. A list gets all of its items
 * with the last. */
#include "pickle/write_flat.h"

#include <stdlib.h>

struct event {
	struct pickle_planned *planned;
	uint32_t time;  /* number of the last node that is there before it, itself included */
	uint32_t first; /* of a change of a call: its first step */
	bool is_change; /* else it makes the node */
};

struct events {
	struct event *list;
	size_t count, room;
};

static bool add_event(struct events *events, struct event event)
{
	if (events->count == events->room) {
		size_t room = events->room ? events->room * 2 : 64;
		struct event *grown = realloc(events->list, room * sizeof(*grown));

		if (!grown)
			return false;
		events->list = grown;
		events->room = room;
	}
	events->list[events->count++] = event;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct event *one = a, *other = b;

	if (one->time != other->time)
		return one->time < other->time ? -1 : 1;
	if (one->is_change != other->is_change)
		return one->is_change ? 1 : -1;
	if (one->planned != other->planned)
		return one->planned->node->number > other->planned->node->number ? -1 : 1;
	return (one->first > other->first) - (one->first < other->first);
}

/* Time of a change, with `made` nodes there, of a node. */
static uint32_t change_time(const struct pickle_node *node, uint32_t made)
{
	return made > node->number ? made - 1 : node->number;
}

/* Steps from `first` on that one opcode can do. */
static uint32_t step_run(const struct pickle_call *call, uint32_t first)
{
	const struct pickle_step *step = &call->steps[first];
	uint32_t count = 1;

	if (step->kind == PICKLE_BUILD || step->kind == PICKLE_SET_STATE)
		return 1;
	while (count < 1000 && first + count < call->step_count && step[count].kind == step->kind &&
	       step[count].made == step->made)
		count++;
	return count;
}

/* A leaf that is used once is written where it is used. */
static bool is_written_where_used(const struct pickle_planned *planned)
{
	return !planned->is_shared && pickle_write_is_leaf(planned->node);
}

static bool plan_events(struct pickle_plan *plan, struct events *events)
{
	for (size_t i = 0; i <= plan->mask; i++) {
		struct pickle_planned *planned = &plan->slots[i];
		const struct pickle_node *node = planned->node;
		struct event event = {.planned = planned};

		if (!node || is_written_where_used(planned))
			continue;
		event.time = node->number;
		if (!add_event(events, event))
			return false;
		event.is_change = true;
		if (node->kind == PICKLE_CALL) {
			const struct pickle_call *call = node->call;

			for (; event.first < call->step_count;
			     event.first += step_run(call, event.first)) {
				event.time = change_time(node, call->steps[event.first].made);
				if (!add_event(events, event))
					return false;
			}
		} else if ((node->kind == PICKLE_LIST || node->kind == PICKLE_DICT ||
			    node->kind == PICKLE_SET) &&
			   node->items.count > 0) {
			event.time = change_time(node, node->items.made);
			if (!add_event(events, event))
				return false;
		}
	}
	if (events->count > 0)
		qsort(events->list, events->count, sizeof(*events->list), compare);
	return true;
}

/* ---- Writing ---- */

static bool put_operand(struct pickle_writer *writer, const struct pickle_node *node)
{
	struct pickle_planned *planned = pickle_plan_find(&writer->plan, node);

	if (!planned)
		pickle_write_atom(writer, node);
	else if (planned->memo)
		pickle_write_get(writer, planned);
	else if (is_written_where_used(planned))
		return pickle_write_leaf(writer, node);
	else
		return pickle_write_fail(writer, node, "it is used before it is made");
	return true;
}

static bool put_operands(struct pickle_writer *writer, struct pickle_node *const *list,
			 uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!put_operand(writer, list[i]))
			return false;
	return true;
}

/* Makes a node, on the stack. */
static bool make(struct pickle_writer *writer, const struct pickle_node *node)
{
	if (pickle_write_is_leaf(node))
		return pickle_write_leaf(writer, node);
	if (node->kind == PICKLE_LIST || node->kind == PICKLE_DICT || node->kind == PICKLE_SET) {
		pickle_write_empty(writer, node);
		return true;
	}
	pickle_write_open(writer, node);
	if (node->kind == PICKLE_CALL
		    ? !put_operand(writer, node->call->callable) ||
			      !put_operand(writer, node->call->arguments) ||
			      (node->call->keywords && !put_operand(writer, node->call->keywords))
		    : !put_operands(writer, node->items.list, node->items.count))
		return false;
	pickle_write_close(writer, node);
	return true;
}

/* Gives the list, dict or set on the stack its items. */
static bool fill(struct pickle_writer *writer, const struct pickle_node *node)
{
	const struct pickle_change *change = pickle_change_of_items(node);
	uint32_t batch;

	for (uint32_t i = 0; i < node->items.count; i += batch) {
		batch = pickle_write_batch(change, node->items.count - i);
		pickle_put(writer->ret, MARK);
		if (!put_operands(writer, node->items.list + i, batch))
			return false;
		pickle_put(writer->ret, change->many);
	}
	return true;
}

/* Does the steps from `first` on with the object on the stack. */
static bool change(struct pickle_writer *writer, const struct pickle_planned *planned,
		   uint32_t first)
{
	const struct pickle_call *call = planned->node->call;
	const struct pickle_step *step = &call->steps[first];

	if (step->kind == PICKLE_BUILD) {
		if (!put_operand(writer, step->first))
			return false;
		pickle_put(writer->ret, BUILD);
		return true;
	}
	if (step->kind == PICKLE_SET_STATE) {
		if (!put_operand(writer, step->first))
			return false;
		pickle_write_get(writer, planned);
		if (!put_operand(writer, step->second))
			return false;
		pickle_put_set_state(writer->ret);
		return true;
	}
	pickle_put(writer->ret, MARK);
	for (uint32_t count = step_run(call, first); count > 0; count--, step++)
		if (!put_operand(writer, step->first) ||
		    (step->second && !put_operand(writer, step->second)))
			return false;
	pickle_put(writer->ret, pickle_change_of_step(call->steps[first].kind)->many);
	return true;
}

static bool put_event(struct pickle_writer *writer, const struct event *event)
{
	struct pickle_planned *planned = event->planned;
	const struct pickle_node *node = planned->node;
	bool is_ok;

	if (writer->ret->failed)
		return pickle_write_fail(writer, node, "out of memory");
	if (!event->is_change) {
		is_ok = make(writer, node);
		pickle_write_memoize(writer, planned);
	} else {
		pickle_write_get(writer, planned);
		is_ok = node->kind == PICKLE_CALL ? change(writer, planned, event->first)
						  : fill(writer, node);
	}
	pickle_put(writer->ret, POP);
	return is_ok;
}

bool pickle_write_flat(struct pickle_writer *writer, const struct pickle_node *root)
{
	struct events events = {0};
	bool is_ok = plan_events(&writer->plan, &events) ||
		     pickle_write_fail(writer, root, "out of memory");

	for (size_t i = 0; is_ok && i < events.count; i++)
		is_ok = put_event(writer, &events.list[i]);
	free(events.list);
	return is_ok && put_operand(writer, root);
}
