#include "pickle/write_parts.h"

#include <stdio.h>

bool pickle_write_fail(struct pickle_writer *writer, const struct pickle_node *node,
		       const char *text)
{
	writer->error->offset = node->offset;
	(void)snprintf(writer->error->text, sizeof(writer->error->text), "%s", text);
	return false;
}

bool pickle_write_fits(struct pickle_writer *writer, const struct pickle_node *node, size_t bytes)
{
	size_t len = writer->ret->len;

	if (len <= writer->max_len && bytes <= writer->max_len - len)
		return true;
	writer->error->is_too_long = true;
	return pickle_write_fail(writer, node, "its pickle would be too long");
}

void pickle_write_get(struct pickle_writer *writer, const struct pickle_planned *planned)
{
	uint32_t place = planned->memo - 1;

	pickle_put_number(writer->ret, place < 256 ? BINGET : LONG_BINGET, place,
			  place < 256 ? 1 : 4);
}

void pickle_write_memoize(struct pickle_writer *writer, struct pickle_planned *planned)
{
	planned->memo = ++writer->memo_count;
	pickle_put(writer->ret, MEMOIZE);
}

void pickle_write_atom(struct pickle_writer *writer, const struct pickle_node *node)
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
}

bool pickle_write_is_leaf(const struct pickle_node *node)
{
	return node->kind == PICKLE_STR || node->kind == PICKLE_BYTES ||
	       node->kind == PICKLE_BYTEARRAY || node->kind == PICKLE_LONG ||
	       node->kind == PICKLE_GLOBAL;
}

static size_t leaf_len(const struct pickle_node *node)
{
	return node->kind == PICKLE_GLOBAL ? node->global->module.len + node->global->name.len
					   : node->bytes.len;
}

bool pickle_write_leaf(struct pickle_writer *writer, const struct pickle_node *node)
{
	if (!pickle_write_fits(writer, node, leaf_len(node)))
		return false;
	switch (node->kind) {
	case PICKLE_STR:
		pickle_put_text(writer->ret, node->bytes);
		return true;
	case PICKLE_BYTES:
		pickle_put_bytes(writer->ret, node->bytes);
		return true;
	case PICKLE_BYTEARRAY:
		writer->has_bytearray = true;
		pickle_put_number(writer->ret, BYTEARRAY8, node->bytes.len, 8);
		buffer_append(writer->ret, node->bytes);
		return true;
	case PICKLE_GLOBAL:
		writer->has_global = true;
		pickle_put_text(writer->ret, node->global->module);
		pickle_put_text(writer->ret, node->global->name);
		pickle_put(writer->ret, STACK_GLOBAL);
		return true;
	default: /* PICKLE_LONG */
		if (node->bytes.len > INT32_MAX)
			return pickle_write_fail(writer, node, "an int of more than 2 GiB");
		pickle_put_number(writer->ret, node->bytes.len < 0x100 ? LONG1 : LONG4,
				  node->bytes.len, node->bytes.len < 0x100 ? 1 : 4);
		buffer_append(writer->ret, node->bytes);
		return true;
	}
}

void pickle_write_empty(struct pickle_writer *writer, const struct pickle_node *node)
{
	pickle_put(writer->ret, node->kind == PICKLE_LIST   ? EMPTY_LIST
				: node->kind == PICKLE_DICT ? EMPTY_DICT
							    : EMPTY_SET);
}

static bool is_small_tuple(const struct pickle_node *node)
{
	return node->kind == PICKLE_TUPLE && node->items.count <= 3;
}

void pickle_write_open(struct pickle_writer *writer, const struct pickle_node *node)
{
	if (node->kind == PICKLE_FROZENSET || (node->kind == PICKLE_TUPLE && !is_small_tuple(node)))
		pickle_put(writer->ret, MARK);
}

void pickle_write_close(struct pickle_writer *writer, const struct pickle_node *node)
{
	static const enum pickle_opcode small[] = {EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3};
	static const enum pickle_opcode calls[] = {
		[PICKLE_REDUCE] = REDUCE, [PICKLE_NEWOBJ] = NEWOBJ, [PICKLE_NEWOBJ_EX] = NEWOBJ_EX};

	pickle_put(writer->ret, node->kind == PICKLE_CALL        ? calls[node->call->kind]
				: node->kind == PICKLE_FROZENSET ? FROZENSET
				: is_small_tuple(node)           ? small[node->items.count]
								 : TUPLE);
}

static const struct pickle_change append = {APPEND, APPENDS, 1};
static const struct pickle_change set_item = {SETITEM, SETITEMS, 2};
static const struct pickle_change add = {0, ADDITEMS, 1};

const struct pickle_change *pickle_change_of_items(const struct pickle_node *node)
{
	return node->kind == PICKLE_LIST ? &append : node->kind == PICKLE_DICT ? &set_item : &add;
}

const struct pickle_change *pickle_change_of_step(enum pickle_step_kind kind)
{
	return kind == PICKLE_APPEND ? &append : kind == PICKLE_SET_ITEM ? &set_item : &add;
}

uint32_t pickle_write_batch(const struct pickle_change *change, uint32_t rest)
{
	return rest > 1000 * change->operands ? 1000 * change->operands : rest;
}
