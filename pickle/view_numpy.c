#include "pickle/view_numpy.h"

#include <stdio.h>

/* ---- Reading a graph ---- */

static bool is_named(const struct pickle_node *node, const char *module, const char *name)
{
	return node->kind == PICKLE_GLOBAL && slice_equal(node->global->module, slice_of(module)) &&
	       slice_equal(node->global->name, slice_of(name));
}

/* numpy 2 has moved numpy.core to numpy._core. */
static bool is_core(const struct pickle_node *node, const char *module, const char *name)
{
	char old[40], new[40];

	(void)snprintf(old, sizeof(old), "numpy.core.%s", module);
	(void)snprintf(new, sizeof(new), "numpy._core.%s", module);
	return is_named(node, old, name) || is_named(node, new, name);
}

static const struct pickle_call *reduce_of(const struct pickle_node *node, uint32_t arguments)
{
	if (node->kind != PICKLE_CALL || node->call->kind != PICKLE_REDUCE ||
	    node->call->arguments->kind != PICKLE_TUPLE ||
	    node->call->arguments->items.count < arguments)
		return NULL;
	return node->call;
}

static const struct pickle_node *argument(const struct pickle_call *call, uint32_t at)
{
	return call->arguments->items.list[at];
}

/* The tuple that the call's only step sets as state, of at least `count` items. */
static const struct pickle_items *state_of(const struct pickle_call *call, uint32_t count)
{
	const struct pickle_step *step = call->steps;

	if (call->step_count != 1 || step->kind != PICKLE_BUILD ||
	    step->first->kind != PICKLE_TUPLE || step->first->items.count < count)
		return NULL;
	return &step->first->items;
}

static bool is_raw(const struct pickle_node *node)
{
	return node->kind == PICKLE_BYTES || node->kind == PICKLE_BYTEARRAY;
}

/* ---- Data types ---- */

/* ({...}, (b"ns", 1, 1, 1)), the metadata of a time. */
static void read_unit(const struct pickle_node *metadata, struct view_dtype *ret)
{
	const struct pickle_items *items = &metadata->items;

	if (metadata->kind != PICKLE_TUPLE || items->count < 2 ||
	    items->list[1]->kind != PICKLE_TUPLE || items->list[1]->items.count < 2)
		return;
	const struct pickle_node *unit = items->list[1]->items.list[0],
				 *count = items->list[1]->items.list[1];
	if (!is_raw(unit) || unit->bytes.len > 3 || count->kind != PICKLE_INT)
		return;
	for (size_t i = 0; i < unit->bytes.len; i++)
		if (!strchr("YMWDhmsunpfa", unit->bytes.data[i]) || !unit->bytes.data[i])
			return;
	size_t len = strlen(ret->name);
	if (count->integer == 1)
		(void)snprintf(ret->name + len, sizeof(ret->name) - len, "[%.*s]",
			       (int)unit->bytes.len, unit->bytes.data);
	else
		(void)snprintf(ret->name + len, sizeof(ret->name) - len, "[%lld%.*s]",
			       (long long)count->integer, (int)unit->bytes.len, unit->bytes.data);
}

/* numpy.dtype("f4", False, True) with the state (3, "<", None, None, None, -1, -1, 0): version,
 * byte order, base and shape of a subarray, names and fields of a structure, ... */
static bool read_dtype(const struct pickle_node *node, struct view_dtype *ret)
{
	const struct pickle_call *call = reduce_of(node, 1);

	if (!call || !is_named(call->callable, "numpy", "dtype") ||
	    argument(call, 0)->kind != PICKLE_STR)
		return false;
	const struct pickle_items *state = state_of(call, 5);
	if (!state || state->list[1]->kind != PICKLE_STR || state->list[1]->bytes.len != 1 ||
	    state->list[2]->kind != PICKLE_NONE || state->list[3]->kind != PICKLE_NONE ||
	    !view_number_dtype(argument(call, 0)->bytes, state->list[1]->bytes.data[0], ret))
		return false;
	if (ret->kind == 'M' || ret->kind == 'm')
		read_unit(state->list[state->count - 1], ret);
	return true;
}

/* ---- Arrays ---- */

static bool read_shape(const struct pickle_node *shape, struct view_array *ret)
{
	const struct pickle_items *items = &shape->items;

	if (shape->kind != PICKLE_TUPLE || items->count > VIEW_DIMENSIONS_MAX)
		return false;
	ret->dimension_count = items->count;
	for (uint32_t i = 0; i < items->count; i++) {
		if (items->list[i]->kind != PICKLE_INT || items->list[i]->integer < 0)
			return false;
		ret->shape[i] = (uint64_t)items->list[i]->integer;
	}
	return true;
}

/* Whether the bytes are as many as the shape says. Sets the strides. */
static bool measure(struct view_array *array, bool is_fortran)
{
	uint64_t bytes = array->dtype.size;

	for (unsigned i = 0; i < array->dimension_count; i++) {
		unsigned at = is_fortran ? i : array->dimension_count - 1 - i;

		array->strides[at] = bytes;
		if (__builtin_mul_overflow(bytes, array->shape[at], &bytes))
			return false;
	}
	array->element_count = bytes / array->dtype.size;
	return bytes == array->bytes.len;
}

/* _reconstruct(numpy.ndarray, (0,), b"b") with the state (1, shape, dtype, is_fortran, bytes). */
static bool read_reconstruct(const struct pickle_call *call, struct view_array *ret)
{
	const struct pickle_items *state = state_of(call, 5);

	if (!state || argument(call, 0)->kind != PICKLE_GLOBAL || !is_raw(state->list[4]) ||
	    state->list[3]->kind > PICKLE_INT || !read_shape(state->list[1], ret) ||
	    !read_dtype(state->list[2], &ret->dtype))
		return false;
	ret->class = *argument(call, 0)->global;
	ret->bytes = state->list[4]->bytes;
	return measure(ret, state->list[3]->kind != PICKLE_NONE && state->list[3]->integer != 0);
}

/* _frombuffer(bytes, dtype, shape, "C"). */
static bool read_frombuffer(const struct pickle_call *call, struct view_array *ret)
{
	const struct pickle_node *order = argument(call, 3);

	if (call->step_count != 0 || !is_raw(argument(call, 0)) || order->kind != PICKLE_STR ||
	    !read_dtype(argument(call, 1), &ret->dtype) || !read_shape(argument(call, 2), ret))
		return false;
	ret->class = (struct pickle_global){.module = SLICE("numpy"), .name = SLICE("ndarray")};
	ret->bytes = argument(call, 0)->bytes;
	return measure(ret, slice_equal(order->bytes, SLICE("F")));
}

/* scalar(dtype, bytes). */
static bool read_scalar(const struct pickle_call *call, struct view_array *ret)
{
	if (call->step_count != 0 || !is_raw(argument(call, 1)) ||
	    !read_dtype(argument(call, 0), &ret->dtype))
		return false;
	ret->is_scalar = true;
	ret->dimension_count = 0;
	ret->bytes = argument(call, 1)->bytes;
	return measure(ret, false);
}

bool view_numpy_read(const struct pickle_node *node, struct view_array *ret)
{
	const struct pickle_call *call = reduce_of(node, 2);

	if (!call || call->callable->kind != PICKLE_GLOBAL ||
	    !slice_starts_with(call->callable->global->module, SLICE("numpy.")))
		return false;
	ret->is_scalar = false;
	if (is_core(call->callable, "multiarray", "scalar"))
		return read_scalar(call, ret);
	if (call->arguments->items.count >= 3 &&
	    is_core(call->callable, "multiarray", "_reconstruct"))
		return read_reconstruct(call, ret);
	return call->arguments->items.count >= 4 &&
	       is_core(call->callable, "numeric", "_frombuffer") && read_frombuffer(call, ret);
}
