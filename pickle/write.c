/* The pickle is written in one walk from the root, as Python's own pickler does it: a node is made
 * where the walk meets it first, and taken from the memo where it meets it again. What is used once
 * is not put there (write_plan.h). A list is in the memo before its items are written, so that it
 * may contain itself. What cannot be written so is written flat (write_flat.h). */
#include "pickle/write.h"

#include "pickle/write_flat.h"

static bool write_node(struct pickle_writer *writer, const struct pickle_node *node);

static void memoize_if_shared(struct pickle_writer *writer, struct pickle_planned *planned)
{
	if (planned->is_shared)
		pickle_write_memoize(writer, planned);
}

/* A list, a dict or a set. */
static bool write_items(struct pickle_writer *writer, const struct pickle_node *node,
			struct pickle_planned *planned)
{
	const struct pickle_change *change = pickle_change_of_items(node);

	pickle_write_empty(writer, node);
	memoize_if_shared(writer, planned);
	for (uint32_t i = 0; i < node->items.count;) {
		uint32_t batch = pickle_write_batch(change, node->items.count - i);
		bool is_many = batch > change->operands || !change->one;

		if (is_many)
			pickle_put(writer->ret, MARK);
		for (uint32_t end = i + batch; i < end; i++)
			if (!write_node(writer, node->items.list[i]))
				return false;
		pickle_put(writer->ret, is_many ? change->many : change->one);
	}
	return true;
}

/* Writes the operands of steps of one kind, which are APPEND, SET_ITEM or ADD, from `i` on, for one
 * opcode. Returns the index of the next step, or 0: failed. */
static uint32_t write_batch(struct pickle_writer *writer, const struct pickle_call *call,
			    uint32_t i)
{
	enum pickle_step_kind kind = call->steps[i].kind;
	const struct pickle_change *change = pickle_change_of_step(kind);
	uint32_t end = i + 1;

	while (end - i < 1000 && end < call->step_count && call->steps[end].kind == kind)
		end++;
	bool is_many = end - i > 1 || !change->one;
	if (is_many)
		pickle_put(writer->ret, MARK);
	for (; i < end; i++)
		if (!write_node(writer, call->steps[i].first) ||
		    (call->steps[i].second && !write_node(writer, call->steps[i].second)))
			return 0;
	pickle_put(writer->ret, is_many ? change->many : change->one);
	return end;
}

static bool write_steps(struct pickle_writer *writer, const struct pickle_call *call,
			const struct pickle_planned *planned)
{
	for (uint32_t i = 0; i < call->step_count;) {
		const struct pickle_step *step = &call->steps[i];

		if (step->kind != PICKLE_BUILD && step->kind != PICKLE_SET_STATE) {
			i = write_batch(writer, call, i);
			if (i == 0)
				return false;
			continue;
		}
		if (!write_node(writer, step->first))
			return false;
		if (step->kind == PICKLE_BUILD)
			pickle_put(writer->ret, BUILD);
		else {
			pickle_write_get(writer, planned);
			if (!write_node(writer, step->second))
				return false;
			pickle_put_set_state(writer->ret);
		}
		i++;
	}
	return true;
}

static bool write_call(struct pickle_writer *writer, const struct pickle_node *node,
		       struct pickle_planned *planned)
{
	const struct pickle_call *call = node->call;

	if (!write_node(writer, call->callable) || !write_node(writer, call->arguments) ||
	    (call->keywords && !write_node(writer, call->keywords)))
		return false;
	pickle_write_close(writer, node);
	memoize_if_shared(writer, planned);
	return write_steps(writer, call, planned);
}

/* Called in itself, as deep as plans let it: PICKLE_DEPTH_MAX. */
static bool write_node(struct pickle_writer *writer, const struct pickle_node *node)
{
	struct pickle_planned *planned = pickle_plan_find(&writer->plan, node);

	if (!planned) {
		pickle_write_atom(writer, node);
		return true;
	}
	if (planned->memo) {
		pickle_write_get(writer, planned);
		return true;
	}
	if (writer->ret->failed)
		return pickle_write_fail(writer, node, "out of memory");

	switch (node->kind) {
	case PICKLE_LIST:
	case PICKLE_DICT:
	case PICKLE_SET:
		return write_items(writer, node, planned);
	case PICKLE_CALL:
		return write_call(writer, node, planned);
	case PICKLE_TUPLE:
	case PICKLE_FROZENSET:
		pickle_write_open(writer, node);
		for (uint32_t i = 0; i < node->items.count; i++)
			if (!write_node(writer, node->items.list[i]))
				return false;
		pickle_write_close(writer, node);
		break;
	default:
		if (!pickle_write_leaf(writer, node))
			return false;
		break;
	}
	memoize_if_shared(writer, planned);
	return true;
}

bool pickle_write(const struct pickle *pickle, const struct pickle_node *node, size_t max_bytes,
		  struct buffer *ret, struct pickle_error *error)
{
	size_t start = ret->len;
	struct pickle_writer writer = {
		.ret = ret,
		.max_len = max_bytes > SIZE_MAX - start ? SIZE_MAX : start + max_bytes,
		.error = error,
	};

	pickle_put_number(ret, PROTO, 4, 1);
	bool is_written = pickle_plan_init(&writer.plan, node, error) &&
			  (writer.plan.is_flat ? pickle_write_flat(&writer, node)
					       : write_node(&writer, node));
	pickle_plan_deinit(&writer.plan);
	pickle_put(ret, STOP);
	if (is_written && ret->failed)
		is_written = pickle_write_fail(&writer, node, "out of memory");
	is_written = is_written && pickle_write_fits(&writer, node, 0);
	if (!is_written)
		return false;

	/* Names of Python 2, as protocols 0 to 2 have them, are those of Python 3 only under their
	 * protocol, which does not limit the opcodes. */
	if (writer.has_global && pickle_protocol(pickle) < 3)
		ret->data[start + 1] = 2;
	else if (writer.has_bytearray)
		ret->data[start + 1] = 5;
	return true;
}
