#include "pickle/view_print.h"

#include "pickle/python_text.h"
#include "pickle/view_array.h"

/* What stands between two brackets: items, pairs of a dict, or the steps of a call. */
struct group {
	const char *open, *close;
	struct pickle_node *const *list; /* NULL: steps */
	const struct pickle_step *steps;
	uint32_t count; /* of elements */
	bool is_pairs;
	bool is_lone_tuple; /* (1,) */
};

struct element {
	const struct pickle_node *key; /* NULL: none */
	const struct pickle_node *value;
};

static void put(struct view_print *print, const char *text)
{
	view_out_put(&print->out, slice_of(text));
}

/* ---- Without parts ---- */

static struct buffer *empty_scratch(struct view_print *print)
{
	print->scratch.len = 0;
	return &print->scratch;
}

static void put_scratch(struct view_print *print)
{
	if (print->scratch.failed)
		print->out.text->failed = print->out.is_full = true;
	view_out_put(&print->out, buffer_bytes(&print->scratch));
}

/* No more of the bytes than can fit. */
static struct slice fitting(const struct view_print *print, struct slice bytes)
{
	size_t room = view_out_room(&print->out);

	if (bytes.len > room) {
		while (room > 0 && ((unsigned char)bytes.data[room] & 0xc0) == 0x80)
			room--;
		bytes.len = room;
	}
	return bytes;
}

static void print_str(struct view_print *print, struct slice text)
{
	struct buffer *scratch = empty_scratch(print);

	python_repr_of_str(scratch, fitting(print, text), PYTHON_RELEASE_DEFAULT);
	put_scratch(print);
}

/* An int that is too long for Python's str(), in hexadecimal. */
static void print_hex(struct view_print *print, struct slice bytes)
{
	struct buffer *scratch = empty_scratch(print);
	bool is_negative = bytes.len > 0 && (bytes.data[bytes.len - 1] & 0x80);
	bool has_digits = false;
	size_t carry_from = 0;

	while (is_negative && carry_from < bytes.len && bytes.data[carry_from] == '\0')
		carry_from++;
	buffer_append(scratch, slice_of(is_negative ? "-0x" : "0x"));
	for (size_t i = bytes.len; i-- > 0 && scratch->len <= view_out_room(&print->out);) {
		unsigned byte = (unsigned char)bytes.data[i];

		/* The negative of a number in two's complement. */
		if (is_negative && i >= carry_from)
			byte = (i == carry_from ? 0x100 - byte : 0xff - byte) & 0xff;
		/* The first may be no more than a sign. */
		if (byte > 0 || has_digits)
			buffer_printf(scratch, has_digits ? "%02x" : "%x", byte);
		has_digits = has_digits || byte > 0;
	}
	put_scratch(print);
}

static void print_atom(struct view_print *print, const struct pickle_node *node)
{
	struct buffer *scratch = empty_scratch(print);
	struct pickle_error error;

	if (python_str(node, PYTHON_RELEASE_DEFAULT, SIZE_MAX, scratch, &error))
		put_scratch(print);
	else if (node->kind == PICKLE_LONG)
		print_hex(print, node->bytes);
	else
		put(print, "?");
}

static void print_bytes(struct view_print *print, const struct pickle_node *node)
{
	struct slice bytes = node->bytes;
	size_t room = view_out_room(&print->out);

	if (bytes.len > room)
		bytes.len = room;
	if (node->kind == PICKLE_BYTEARRAY)
		put(print, "bytearray(");
	python_repr_of_bytes(empty_scratch(print), bytes);
	put_scratch(print);
	if (node->kind == PICKLE_BYTEARRAY)
		put(print, ")");
}

static bool is_plain(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_' || c == '.'))
			return false;
	}
	return name.len > 0;
}

static void append_name(struct slice name, struct buffer *ret)
{
	struct buffer quoted = {0};

	if (is_plain(name)) {
		buffer_append(ret, name);
		return;
	}
	python_repr_of_str(&quoted, name, PYTHON_RELEASE_DEFAULT);
	if (quoted.failed)
		ret->failed = true;
	else
		buffer_append(ret, (struct slice){.data = quoted.data + 1, .len = quoted.len - 2});
	buffer_deinit(&quoted);
}

void view_print_name(const struct pickle_global *global, struct buffer *ret)
{
	if (!slice_equal(global->module, SLICE("builtins")) &&
	    !slice_equal(global->module, SLICE("__builtin__"))) {
		append_name(global->module, ret);
		buffer_append_char(ret, '.');
	}
	append_name(global->name, ret);
}

static void print_name(struct view_print *print, const struct pickle_global *global)
{
	/* A long one costs no more than what fits. */
	struct pickle_global part = {
		.module = fitting(print, global->module),
		.name = fitting(print, global->name),
	};

	view_print_name(&part, empty_scratch(print));
	put_scratch(print);
}

/* ---- Groups ---- */

static struct element element_of(const struct group *group, uint32_t at)
{
	if (!group->list) {
		const struct pickle_step *step = &group->steps[at];

		return group->is_pairs ? (struct element){step->first, step->second}
				       : (struct element){NULL, step->first};
	}
	return group->is_pairs ? (struct element){group->list[(size_t)at * 2],
						  group->list[(size_t)at * 2 + 1]}
			       : (struct element){NULL, group->list[at]};
}

static void print_element(struct view_print *print, const struct element *element)
{
	if (element->key) {
		view_print_node(print, element->key);
		put(print, ": ");
	}
	view_print_node(print, element->value);
}

static void print_on_line(struct view_print *print, const struct group *group)
{
	put(print, group->open);
	for (uint32_t i = 0; i < group->count && !print->out.is_full; i++) {
		struct element element = element_of(group, i);

		if (i > 0)
			put(print, ", ");
		print_element(print, &element);
	}
	put(print, group->is_lone_tuple ? "," : "");
	put(print, group->close);
}

static bool is_short(const struct pickle_node *node)
{
	return node->kind <= PICKLE_FLOAT || (node->kind == PICKLE_STR && node->bytes.len <= 16);
}

static bool are_short(const struct group *group)
{
	for (uint32_t i = 0; i < group->count; i++) {
		struct element element = element_of(group, i);

		if (element.key || !is_short(element.value))
			return false;
	}
	return true;
}

static void print_on_lines(struct view_print *print, const struct group *group)
{
	struct view_out *out = &print->out;
	bool fills = are_short(group);

	put(print, group->open);
	out->indent += VIEW_INDENT;
	for (uint32_t i = 0; i < group->count && !out->is_full; i++) {
		struct element element = element_of(group, i);

		if (fills && i > 0) {
			/* On the same line if it fits. */
			struct view_try before = view_out_try(out);

			put(print, " ");
			print_element(print, &element);
			if (view_out_tried(out, &before)) {
				put(print, ",");
				continue;
			}
		}
		view_out_line(out);
		print_element(print, &element);
		put(print, ",");
	}
	out->indent -= VIEW_INDENT;
	view_out_line(out);
	put(print, group->close);
}

static void print_group(struct view_print *print, const struct group *group)
{
	struct view_out *out = &print->out;

	if (out->is_try || group->count == 0) {
		print_on_line(print, group);
		return;
	}
	struct view_try before = view_out_try(out);
	print_on_line(print, group);
	if (!view_out_tried(out, &before))
		print_on_lines(print, group);
}

/* ---- Calls ---- */

static bool gives_item(const struct pickle_step *step)
{
	return step->kind == PICKLE_APPEND || step->kind == PICKLE_SET_ITEM ||
	       step->kind == PICKLE_ADD;
}

/* The steps from `at` on that are of the same kind. */
static struct group run_of_steps(const struct pickle_call *call, uint32_t at)
{
	const struct pickle_step *steps = call->steps + at;
	bool is_list = steps->kind == PICKLE_APPEND;
	struct group group = {
		.open = is_list ? "[" : "{",
		.close = is_list ? "]" : "}",
		.steps = steps,
		.count = 1,
		.is_pairs = steps->kind == PICKLE_SET_ITEM,
	};

	while (gives_item(steps) && at + group.count < call->step_count &&
	       steps[group.count].kind == steps->kind)
		group.count++;
	return group;
}

/* Whether all that the call says of its object are items: OrderedDict({…}). */
static bool has_only_items(const struct pickle_call *call)
{
	return call->arguments->items.count == 0 && !call->keywords && call->step_count > 0 &&
	       gives_item(call->steps) && run_of_steps(call, 0).count == call->step_count;
}

static void print_steps(struct view_print *print, const struct pickle_call *call)
{
	for (uint32_t i = 0; i < call->step_count && !print->out.is_full;) {
		struct group group = run_of_steps(call, i);

		i += group.count;
		if (gives_item(group.steps)) {
			put(print, " with items ");
			print_group(print, &group);
		} else {
			put(print, " with state ");
			view_print_node(print, group.steps->kind == PICKLE_BUILD
						       ? group.steps->first
						       : group.steps->second);
		}
	}
}

static void print_call(struct view_print *print, const struct pickle_node *node)
{
	const struct pickle_call *call = node->call;
	const struct pickle_items *arguments = &call->arguments->items;
	struct group group = {"(", ")", .list = arguments->list, .count = arguments->count};

	view_print_node(print, call->callable);
	if (has_only_items(call)) {
		group = run_of_steps(call, 0);
		put(print, "(");
		print_group(print, &group);
		put(print, ")");
		return;
	}
	print_group(print, &group);
	if (call->keywords && call->keywords->items.count > 0) {
		put(print, " with keywords ");
		view_print_node(print, call->keywords);
	}
	print_steps(print, call);
}

static void print_call_or_array(struct view_print *print, const struct pickle_node *node)
{
	struct view_array array;

	if (view_numpy_read(node, &array))
		view_array_print(&print->out, &array, print->is_whole);
	else
		print_call(print, node);
}

/* ---- Nodes ---- */

static void print_items(struct view_print *print, const struct pickle_node *node)
{
	static const struct {
		const char *open, *close, *none;
	} brackets[] = {
		[PICKLE_TUPLE] = {"(", ")", "()"},
		[PICKLE_FROZENSET] = {"frozenset({", "})", "frozenset()"},
		[PICKLE_LIST] = {"[", "]", "[]"},
		[PICKLE_SET] = {"{", "}", "set()"},
		[PICKLE_DICT] = {"{", "}", "{}"},
	};
	bool is_dict = node->kind == PICKLE_DICT;
	struct group group = {
		.open = brackets[node->kind].open,
		.close = brackets[node->kind].close,
		.list = node->items.list,
		.count = is_dict ? node->items.count / 2 : node->items.count,
		.is_pairs = is_dict,
		.is_lone_tuple = node->kind == PICKLE_TUPLE && node->items.count == 1,
	};

	if (group.count == 0)
		put(print, brackets[node->kind].none);
	else
		print_group(print, &group);
}

/* What contains itself, and what is nested deeper than is shown, as Python prints the former. */
static bool is_beyond(struct view_print *print, const struct pickle_node *node)
{
	for (unsigned i = 0; i < print->depth; i++)
		if (print->path[i] == node)
			return true;
	if (print->depth < VIEW_DEPTH_MAX)
		return false;
	print->out.has_left_out = true;
	return true;
}

static void print_container(struct view_print *print, const struct pickle_node *node)
{
	if (is_beyond(print, node)) {
		put(print, node->kind == PICKLE_LIST    ? "[...]"
			   : node->kind == PICKLE_TUPLE ? "(...)"
			   : node->kind == PICKLE_CALL  ? "..."
							: "{...}");
		return;
	}
	print->path[print->depth++] = node;
	if (node->kind == PICKLE_CALL)
		print_call_or_array(print, node);
	else
		print_items(print, node);
	print->depth--;
}

void view_print_node(struct view_print *print, const struct pickle_node *node)
{
	if (print->out.is_full)
		return;
	switch (node->kind) {
	case PICKLE_STR:
		print_str(print, node->bytes);
		break;
	case PICKLE_BYTES:
	case PICKLE_BYTEARRAY:
		print_bytes(print, node);
		break;
	case PICKLE_GLOBAL:
		print_name(print, node->global);
		break;
	case PICKLE_LONG:
		/* Nor does its text fit, which takes time to make. */
		if (node->bytes.len > view_out_room(&print->out))
			print_hex(print, node->bytes);
		else
			print_atom(print, node);
		break;
	case PICKLE_NONE:
	case PICKLE_BOOL:
	case PICKLE_INT:
	case PICKLE_FLOAT:
		print_atom(print, node);
		break;
	default:
		print_container(print, node);
		break;
	}
}
