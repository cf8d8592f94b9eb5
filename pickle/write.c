/* The pickle is written in one walk, as Python's own pickler does it, and names a node by its place
 * in the memo if it meets it again. What is used once is not put there (write_plan.h).
 *
 * A list is put into the memo before its items are written, so that it may contain itself. A tuple
 * cannot: it is made of items that are there already. If such an item leads back to the tuple, the
 * writer meets a tuple that it has begun and not ended, and begins it again. This time the item is
 * in the memo, and the tuple ends. Back in the outer one, its items are dropped, and the tuple is
 * taken from the memo:
 *
 *	t = ([],); t[0].append(t)
 *	EMPTY_LIST MEMOIZE(0)  BINGET 0, TUPLE1 MEMOIZE(1), APPEND  POP, BINGET 1
 *	                       '------- the tuple, again -------'  '-- not TUPLE1 --'
 *
 * The same goes for frozensets, and for calls in whose arguments their result appears. */
#include "pickle/write.h"

#include <stdio.h>

#include "pickle/write_opcodes.h"
#include "pickle/write_plan.h"

/* Items between MARK and APPENDS and the like, as in Python. */
#define BATCH 1000

struct writer {
	struct pickle_plan plan;
	uint32_t memo_count;
	bool has_global, has_bytearray;
	size_t max_len; /* of ret */
	struct buffer *ret;
	struct pickle_error *error;
};

static bool fail(struct writer *writer, const struct pickle_node *node, const char *text)
{
	writer->error->offset = node->offset;
	(void)snprintf(writer->error->text, sizeof(writer->error->text), "%s", text);
	return false;
}

/* ---- The memo ---- */

static void put_get(struct writer *writer, const struct pickle_planned *planned)
{
	uint32_t place = planned->memo - 1;

	pickle_put_number(writer->ret, place < 256 ? BINGET : LONG_BINGET, place,
			  place < 256 ? 1 : 4);
}

/* The node that the last opcode made. */
static void put_memoize(struct writer *writer, struct pickle_planned *planned)
{
	if (!planned->is_shared && !writer->plan.is_recursive)
		return;
	planned->memo = ++writer->memo_count;
	pickle_put(writer->ret, MEMOIZE);
}

/* ---- Containers ---- */

static bool write_node(struct writer *writer, const struct pickle_node *node, unsigned depth);

/* What changes the object on top of the stack: `one` with one set of operands, `many` with those
 * above a MARK; 0: there is no such opcode. */
struct change {
	enum pickle_opcode one, many;
	unsigned operands;
};

static const struct change append = {APPEND, APPENDS, 1};
static const struct change set_item = {SETITEM, SETITEMS, 2};
static const struct change add = {0, ADDITEMS, 1};

static bool write_changes(struct writer *writer, const struct pickle_items *items,
			  const struct change *change, unsigned depth)
{
	for (uint32_t i = 0; i < items->count;) {
		uint32_t batch = items->count - i;
		bool is_many = batch > change->operands || !change->one;

		if (batch > BATCH * change->operands)
			batch = BATCH * change->operands;
		if (is_many)
			pickle_put(writer->ret, MARK);
		for (uint32_t end = i + batch; i < end; i++)
			if (!write_node(writer, items->list[i], depth))
				return false;
		pickle_put(writer->ret, is_many ? change->many : change->one);
	}
	return true;
}

/* What is made of its items: a tuple or a frozenset. */
static bool write_fixed(struct writer *writer, const struct pickle_node *node,
			struct pickle_planned *planned, unsigned depth)
{
	uint32_t count = node->items.count;
	bool is_small = node->kind == PICKLE_TUPLE && count <= 3;

	if (!is_small)
		pickle_put(writer->ret, MARK);
	for (uint32_t i = 0; i < count; i++)
		if (!write_node(writer, node->items.list[i], depth))
			return false;

	if (planned->memo) { /* it contains itself */
		for (uint32_t i = 0; is_small && i < count; i++)
			pickle_put(writer->ret, POP);
		if (!is_small)
			pickle_put(writer->ret, POP_MARK);
		put_get(writer, planned);
		return true;
	}
	if (is_small)
		pickle_put(writer->ret, TUPLE1 + count - 1);
	else
		pickle_put(writer->ret, node->kind == PICKLE_TUPLE ? TUPLE : FROZENSET);
	put_memoize(writer, planned);
	return true;
}

/* ---- Objects ---- */

static void put_global(struct writer *writer, const struct pickle_global *global)
{
	writer->has_global = true;
	pickle_put_text(writer->ret, global->module);
	pickle_put_text(writer->ret, global->name);
	pickle_put(writer->ret, STACK_GLOBAL);
}

/* Steps of one kind from `first` on, for one batch. */
static uint32_t batch_of(const struct pickle_call *call, uint32_t first)
{
	uint32_t count = 1;

	while (count < BATCH && first + count < call->step_count &&
	       call->steps[first + count].kind == call->steps[first].kind)
		count++;
	return count;
}

/* Operands of `change` from steps `first` on. */
static bool write_batch(struct writer *writer, const struct pickle_step *steps, uint32_t count,
			const struct change *change, unsigned depth)
{
	bool is_many = count > 1 || !change->one;

	if (is_many)
		pickle_put(writer->ret, MARK);
	for (uint32_t i = 0; i < count; i++)
		if (!write_node(writer, steps[i].first, depth) ||
		    (steps[i].second && !write_node(writer, steps[i].second, depth)))
			return false;
	pickle_put(writer->ret, is_many ? change->many : change->one);
	return true;
}

/* setter(object, state) */
static bool write_set_state(struct writer *writer, const struct pickle_step *step,
			    const struct pickle_planned *object, unsigned depth)
{
	if (!write_node(writer, step->first, depth))
		return false;
	put_get(writer, object);
	if (!write_node(writer, step->second, depth))
		return false;
	pickle_put(writer->ret, TUPLE2);
	pickle_put(writer->ret, REDUCE);
	pickle_put(writer->ret, POP);
	return true;
}

static bool write_steps(struct writer *writer, const struct pickle_call *call,
			const struct pickle_planned *object, unsigned depth)
{
	for (uint32_t i = 0; i < call->step_count;) {
		const struct pickle_step *step = &call->steps[i];
		uint32_t count = 1;
		bool is_written = false;

		switch (step->kind) {
		case PICKLE_APPEND:
		case PICKLE_SET_ITEM:
		case PICKLE_ADD:
			count = batch_of(call, i);
			is_written = write_batch(writer, step, count,
						 step->kind == PICKLE_APPEND     ? &append
						 : step->kind == PICKLE_SET_ITEM ? &set_item
										 : &add,
						 depth);
			break;
		case PICKLE_BUILD:
			is_written = write_node(writer, step->first, depth);
			pickle_put(writer->ret, BUILD);
			break;
		case PICKLE_SET_STATE:
			is_written = write_set_state(writer, step, object, depth);
			break;
		}
		if (!is_written)
			return false;
		i += count;
	}
	return true;
}

static bool write_call(struct writer *writer, const struct pickle_node *node,
		       struct pickle_planned *planned, unsigned depth)
{
	const struct pickle_call *call = node->call;

	if (!write_node(writer, call->callable, depth) ||
	    !write_node(writer, call->arguments, depth) ||
	    (call->keywords && !write_node(writer, call->keywords, depth)))
		return false;
	if (planned->memo) { /* its arguments contain it: it is made, and changed, already */
		for (int i = call->keywords ? 3 : 2; i > 0; i--)
			pickle_put(writer->ret, POP);
		put_get(writer, planned);
		return true;
	}
	pickle_put(writer->ret, call->kind == PICKLE_REDUCE   ? REDUCE
				: call->kind == PICKLE_NEWOBJ ? NEWOBJ
							      : NEWOBJ_EX);
	put_memoize(writer, planned);
	return write_steps(writer, call, planned, depth);
}

/* ---- Any node ---- */

static bool put_long(struct writer *writer, const struct pickle_node *node)
{
	if (node->bytes.len < 0x100)
		pickle_put_number(writer->ret, LONG1, node->bytes.len, 1);
	else if (node->bytes.len <= INT32_MAX)
		pickle_put_number(writer->ret, LONG4, node->bytes.len, 4);
	else
		return fail(writer, node, "an int of more than 2 GiB");
	buffer_append(writer->ret, node->bytes);
	return true;
}

static bool write_atom(struct writer *writer, const struct pickle_node *node)
{
	switch (node->kind) {
	case PICKLE_NONE:
		pickle_put(writer->ret, NONE);
		break;
	case PICKLE_BOOL:
		pickle_put(writer->ret, node->integer ? NEWTRUE : NEWFALSE);
		break;
	case PICKLE_INT:
		pickle_put_int(writer->ret, node->integer);
		break;
	case PICKLE_FLOAT:
		pickle_put_float(writer->ret, node->real);
		break;
	default: /* () */
		pickle_put(writer->ret, EMPTY_TUPLE);
		break;
	}
	return true;
}

/* A node that contains no other, and has a place in the memo if it is shared. */
static bool write_leaf(struct writer *writer, const struct pickle_node *node,
		       struct pickle_planned *planned)
{
	if (node->kind == PICKLE_STR)
		pickle_put_text(writer->ret, node->bytes);
	else if (node->kind == PICKLE_BYTES)
		pickle_put_bytes(writer->ret, node->bytes);
	else if (node->kind == PICKLE_GLOBAL)
		put_global(writer, node->global);
	else if (node->kind == PICKLE_BYTEARRAY) {
		writer->has_bytearray = true;
		pickle_put_number(writer->ret, BYTEARRAY8, node->bytes.len, 8);
		buffer_append(writer->ret, node->bytes);
	} else if (!put_long(writer, node))
		return false;
	put_memoize(writer, planned);
	return true;
}

static bool write_node(struct writer *writer, const struct pickle_node *node, unsigned depth)
{
	struct pickle_planned *planned = pickle_plan_find(&writer->plan, node);

	if (!planned)
		return write_atom(writer, node);
	if (planned->memo) {
		put_get(writer, planned);
		return true;
	}
	if (writer->ret->failed)
		return fail(writer, node, "out of memory");
	if (depth > PICKLE_DEPTH_MAX)
		return fail(writer, node, "nested deeper than 1000 levels");
	if (writer->ret->len > writer->max_len)
		return fail(writer, node, "too many parts contain each other");

	depth++;
	switch (node->kind) {
	case PICKLE_TUPLE:
	case PICKLE_FROZENSET:
		return write_fixed(writer, node, planned, depth);
	case PICKLE_CALL:
		return write_call(writer, node, planned, depth);
	case PICKLE_LIST:
		pickle_put(writer->ret, EMPTY_LIST);
		put_memoize(writer, planned);
		return write_changes(writer, &node->items, &append, depth);
	case PICKLE_DICT:
		pickle_put(writer->ret, EMPTY_DICT);
		put_memoize(writer, planned);
		return write_changes(writer, &node->items, &set_item, depth);
	case PICKLE_SET:
		pickle_put(writer->ret, EMPTY_SET);
		put_memoize(writer, planned);
		return write_changes(writer, &node->items, &add, depth);
	default:
		return write_leaf(writer, node, planned);
	}
}

/* What a pickle may have if parts of it are written again and again, as many parts of a tuple that
 * lead back to it are. */
static size_t longest(const struct buffer *ret, const struct pickle_plan *plan)
{
	size_t len = plan->len_max * 8 + 4096;

	return len > SIZE_MAX - ret->len ? SIZE_MAX : ret->len + len;
}

bool pickle_write(const struct pickle *pickle, const struct pickle_node *node, struct buffer *ret,
		  struct pickle_error *error)
{
	size_t start = ret->len;
	struct writer writer = {.ret = ret, .error = error};

	pickle_put_number(ret, PROTO, 4, 1);
	bool is_written = pickle_plan_init(&writer.plan, node, error);
	if (is_written) {
		writer.max_len = longest(ret, &writer.plan);
		is_written = write_node(&writer, node, 0);
	}
	pickle_plan_deinit(&writer.plan);
	pickle_put(ret, STOP);
	if (is_written && ret->failed)
		is_written = fail(&writer, node, "out of memory");
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
