/* The whole of a view: its type, its text, and what the text says where it is cut. The text of a
 * value is in view_print.c. */
#include "pickle/view.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>

#include "pickle/python_text.h"
#include "pickle/view_array.h"
#include "pickle/view_print.h"

/* ---- Types ---- */

/* What makes an object of the class that is its first argument: copyreg._reconstructor and
 * __newobj__ of protocols 0 to 2, and numpy's _reconstruct. */
static bool makes_its_argument(const struct pickle_global *callable)
{
	return slice_equal(callable->name, SLICE("_reconstructor")) ||
	       slice_equal(callable->name, SLICE("__newobj__")) ||
	       slice_equal(callable->name, SLICE("_reconstruct"));
}

static void name_call(const struct pickle_call *call, struct buffer *ret)
{
	const struct pickle_node *callable = call->callable;
	const struct pickle_items *arguments = &call->arguments->items;

	if (callable->kind == PICKLE_GLOBAL && makes_its_argument(callable->global) &&
	    arguments->count > 0 && arguments->list[0]->kind == PICKLE_GLOBAL)
		callable = arguments->list[0];
	if (callable->kind == PICKLE_GLOBAL)
		view_print_name(callable->global, ret);
	else
		buffer_append(ret, SLICE("object"));
}

static void name_array(const struct view_array *array, struct buffer *ret)
{
	if (array->is_scalar) {
		buffer_printf(ret, "numpy.%s", array->dtype.name);
		return;
	}
	view_print_name(&array->class, ret);
	buffer_printf(ret, " %s ", array->dtype.name);
	view_array_shape(array, ret);
}

/* `array`: what the node makes, or NULL. */
static void name_type(const struct pickle_node *node, const struct view_array *array,
		      struct buffer *ret)
{
	static const char *const names[] = {
		[PICKLE_NONE] = "NoneType", [PICKLE_BOOL] = "bool",
		[PICKLE_INT] = "int",       [PICKLE_LONG] = "int",
		[PICKLE_FLOAT] = "float",   [PICKLE_STR] = "str",
		[PICKLE_BYTES] = "bytes",   [PICKLE_BYTEARRAY] = "bytearray",
		[PICKLE_TUPLE] = "tuple",   [PICKLE_FROZENSET] = "frozenset",
		[PICKLE_LIST] = "list",     [PICKLE_SET] = "set",
		[PICKLE_DICT] = "dict",     [PICKLE_GLOBAL] = "name",
	};

	if (array)
		name_array(array, ret);
	else if (node->kind == PICKLE_CALL)
		name_call(node->call, ret);
	else
		buffer_append(ret, slice_of(names[node->kind]));
}

static bool set_type(struct pickle_view *view, struct buffer *name)
{
	static const char more[] = "…";
	size_t room = sizeof(view->type) - 1, len = name->len;
	bool is_cut = len > room;

	if (is_cut) {
		len = room - (sizeof(more) - 1);
		while (len > 0 && ((unsigned char)name->data[len] & 0xc0) == 0x80)
			len--;
	}
	memcpy(view->type, name->data, len);
	memcpy(view->type + len, more, is_cut ? sizeof(more) : 0);
	view->type[len + (is_cut ? sizeof(more) - 1 : 0)] = '\0';
	return !name->failed;
}

/* ---- A str as itself ---- */

/* The code point at `text`, and its length in bytes. */
static uint32_t decode(struct slice text, size_t *ret_len)
{
	const unsigned char *at = (const unsigned char *)text.data;
	size_t len = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

	*ret_len = len <= text.len ? len : 1;
	switch (*ret_len) {
	case 2:
		return (uint32_t)(at[0] & 31) << 6 | (at[1] & 63);
	case 3:
		return (uint32_t)(at[0] & 15) << 12 | (uint32_t)(at[1] & 63) << 6 | (at[2] & 63);
	case 4:
		return (uint32_t)(at[0] & 7) << 18 | (uint32_t)(at[1] & 63) << 12 |
		       (uint32_t)(at[2] & 63) << 6 | (at[3] & 63);
	default:
		return at[0];
	}
}

static bool is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/* What moves a cursor, breaks a line as few expect, or changes the direction of writing. */
static bool is_misleading(uint32_t c)
{
	return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x61c ||
	       c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* The end of a line of many systems is no surprise. */
static bool is_line_end(struct slice text)
{
	return text.len > 1 && text.data[0] == '\r' && text.data[1] == '\n';
}

static void put_text(struct view_out *out, struct slice text, bool is_exact)
{
	size_t from = 0;

	for (size_t at = 0, len; at < text.len && !out->is_full; at += len) {
		struct slice rest = {.data = text.data + at, .len = text.len - at};
		uint32_t c = decode(rest, &len);
		char escape[8];

		if (!is_surrogate(c) && (is_exact || !is_misleading(c) || is_line_end(rest)))
			continue;
		(void)snprintf(escape, sizeof(escape),
			       c == '\r'   ? "\\r"
			       : c < 0x100 ? "\\x%02x"
					   : "\\u%04x",
			       (unsigned)c);
		view_out_put(out, (struct slice){.data = text.data + from, .len = at - from});
		view_out_put(out, slice_of(escape));
		from = at + len;
	}
	view_out_put(out, (struct slice){.data = text.data + from, .len = text.len - from});
}

/* ---- All of it ---- */

bool pickle_view(const struct pickle_node *node, struct pickle_view *view)
{
	struct view_print print = {
		.out = {.text = &view->text, .limit = SIZE_MAX, .line_start = view->text.len},
		.is_whole = view->is_whole,
	};
	struct view_array array;
	bool is_array = view_numpy_read(node, &array);
	struct buffer name = {0};

	if (view->max_bytes < SIZE_MAX - view->text.len)
		print.out.limit = view->text.len + view->max_bytes;
	name_type(node, is_array ? &array : NULL, &name);
	bool has_type = set_type(view, &name);
	buffer_deinit(&name);
	if (node->kind == PICKLE_STR)
		put_text(&print.out, node->bytes, view->is_exact);
	else if (is_array)
		view_array_elements(&print.out, &array, view->is_whole);
	else
		view_print_node(&print, node);
	buffer_deinit(&print.scratch);
	view->is_cut = print.out.is_full || print.out.has_left_out;
	if (print.out.is_full)
		buffer_printf(&view->text, "\n… (the rest is not shown: longer than %zu bytes)",
			      view->max_bytes);
	return has_type && !view->text.failed;
}

/* ---- Values of entries ---- */

static const struct pickle_error no_memory = {.is_memory = true, .text = "out of memory"};

/* The pickle that the value is the base64 of. False: it is not base64. */
static bool decode_base64(struct slice value, struct buffer *ret)
{
	struct base64_decode_ctx context;
	size_t len = BASE64_DECODE_LENGTH(value.len);

	base64_decode_init(&context);
	return value.len > 0 && buffer_reserve(ret, len) &&
	       base64_decode_update(&context, &len, (uint8_t *)ret->data, value.len, value.data) &&
	       base64_decode_final(&context) && (ret->len = len) > 0;
}

static bool view_bytes(struct slice bytes, const struct pickle_limits *limits,
		       struct pickle_view *view, struct pickle_error *error)
{
	struct pickle *pickle = pickle_read(bytes, limits, &view->pickle_len, error);

	if (!pickle)
		return false;
	/* Other text may begin like a pickle, such as "N.". */
	bool is_all = view->pickle_len == bytes.len;
	bool is_done = is_all && pickle_view(pickle_root(pickle), view);
	if (!is_all)
		*error = (struct pickle_error){.offset = view->pickle_len,
					       .text = "more bytes follow the end of the pickle"};
	else if (!is_done)
		*error = no_memory;
	pickle_free(pickle);
	return is_done;
}

bool pickle_view_value(struct slice value, const struct pickle_limits *limits,
		       struct pickle_view *view, struct pickle_error *error)
{
	struct buffer decoded = {0};
	bool is_done;

	/* No pickle is base64: all end with a full stop. */
	view->is_base64 = decode_base64(value, &decoded);
	if (!view->is_base64 && decoded.failed) {
		*error = no_memory;
		is_done = false;
	} else {
		is_done = view_bytes(view->is_base64 ? buffer_bytes(&decoded) : value, limits, view,
				     error);
	}
	buffer_deinit(&decoded);
	return is_done;
}
