#include "pickle/python_text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"
#include "pickle/python_number.h"

/* The first character of `text`, which is not empty; UTF-8 or "surrogatepass". Returns its length,
 * or 0 if it is neither. */
static size_t decode(struct slice text, uint32_t *ret)
{
	const unsigned char *data = (const unsigned char *)text.data;
	size_t len = data[0] < 0x80                      ? 1
		     : data[0] >= 0xc2 && data[0] < 0xe0 ? 2
		     : (data[0] & 0xf0) == 0xe0          ? 3
		     : data[0] >= 0xf0 && data[0] < 0xf5 ? 4
							 : 0;
	if (len == 0 || len > text.len)
		return 0;

	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code_point = len == 1 ? data[0] : data[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((data[i] & 0xc0) != 0x80)
			return 0;
		code_point = code_point << 6 | (data[i] & 0x3f);
	}
	if (code_point < lowest[len] || code_point > 0x10ffff)
		return 0;
	*ret = code_point;
	return len;
}

/* Python takes ' as quote, or " if the text has the one and not the other. */
static char quote_of(struct slice text)
{
	bool has_single = text.len > 0 && memchr(text.data, '\'', text.len);
	bool has_double = text.len > 0 && memchr(text.data, '"', text.len);

	return has_single && !has_double ? '"' : '\'';
}

/* Appends a character below U+0080. */
static void append_ascii(struct buffer *ret, unsigned char c, unsigned char quote)
{
	if (c == quote || c == '\\')
		buffer_append_char(ret, '\\');
	if (c == '\t' || c == '\n' || c == '\r') {
		buffer_append(ret, c == '\t'   ? SLICE("\\t")
				   : c == '\n' ? SLICE("\\n")
					       : SLICE("\\r"));
	} else if (c < ' ' || c == 0x7f)
		buffer_printf(ret, "\\x%02x", c);
	else
		buffer_append_char(ret, (char)c);
}

void python_repr_of_str(struct buffer *ret, struct slice text, enum python_release release)
{
	char quote = quote_of(text);

	buffer_append_char(ret, quote);
	while (text.len > 0) {
		uint32_t code_point = 0;
		size_t len = decode(text, &code_point);

		if (len == 1)
			append_ascii(ret, (unsigned char)code_point, (unsigned char)quote);
		else if (len == 0)
			buffer_printf(ret, "\\x%02x", (unsigned char)text.data[0]);
		else if (python_printable(code_point, release))
			buffer_append(ret, (struct slice){.data = text.data, .len = len});
		else if (code_point < 0x100)
			buffer_printf(ret, "\\x%02x", code_point);
		else if (code_point < 0x10000)
			buffer_printf(ret, "\\u%04x", code_point);
		else
			buffer_printf(ret, "\\U%08x", code_point);
		text.data += len ? len : 1;
		text.len -= len ? len : 1;
	}
	buffer_append_char(ret, quote);
}

/* Of a bytearray Python escapes ' between " too. */
static void append_bytes(struct buffer *ret, struct slice bytes, bool is_array)
{
	char quote = quote_of(bytes);

	buffer_append_char(ret, 'b');
	buffer_append_char(ret, quote);
	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char c = (unsigned char)bytes.data[i];

		if (c < 0x80)
			append_ascii(ret, c, is_array && c == '\'' ? c : (unsigned char)quote);
		else
			buffer_printf(ret, "\\x%02x", c);
	}
	buffer_append_char(ret, quote);
}

void python_repr_of_bytes(struct buffer *ret, struct slice bytes)
{
	append_bytes(ret, bytes, false);
}

struct printer {
	enum python_release release;
	size_t max_len; /* of ret */
	struct buffer *ret;
	struct pickle_error *error;
};

__attribute__((format(printf, 3, 4))) static bool
fail(struct printer *printer, const struct pickle_node *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printer->error->offset = node->offset;
	(void)vsnprintf(printer->error->text, sizeof(printer->error->text), format, args);
	va_end(args);
	return false;
}

/* Whether a name may stand in a message. */
static bool is_plain(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.data[i]) && name.data[i] != '_' &&
		    name.data[i] != '.')
			return false;
	return name.len < 80;
}

static bool refuse(struct printer *printer, const struct pickle_node *node)
{
	const struct pickle_node *named = node;
	const char *what = "the class or function";

	if (node->kind == PICKLE_SET || node->kind == PICKLE_FROZENSET)
		return fail(printer, node, "a %s has no order that is the same everywhere",
			    node->kind == PICKLE_SET ? "set" : "frozenset");
	if (node->kind == PICKLE_CALL) {
		const struct pickle_items *arguments = &node->call->arguments->items;

		what = "an object of";
		named = node->call->callable;
		/* copyreg._reconstructor(class, ...) and its like */
		if (named->kind == PICKLE_GLOBAL && named->global->name.len > 0 &&
		    named->global->name.data[0] == '_' && arguments->count > 0 &&
		    arguments->list[0]->kind == PICKLE_GLOBAL)
			named = arguments->list[0];
	}
	if (named->kind != PICKLE_GLOBAL || !is_plain(named->global->module) ||
	    !is_plain(named->global->name))
		return fail(printer, node, "an object, whose text needs its code");
	return fail(printer, node, "%s %.*s.%.*s, whose text needs its code", what,
		    (int)named->global->module.len, named->global->module.data,
		    (int)named->global->name.len, named->global->name.data);
}

static bool print(struct printer *printer, const struct pickle_node *node, unsigned depth);

/* A tuple, a list or a dict. */
static bool print_items(struct printer *printer, const struct pickle_node *node, unsigned depth)
{
	const struct pickle_items *items = &node->items;
	const char *brackets = node->kind == PICKLE_TUPLE  ? "()"
			       : node->kind == PICKLE_LIST ? "[]"
							   : "{}";

	if (depth >= PICKLE_DEPTH_MAX)
		return fail(printer, node, "nested deeper than %d levels", PICKLE_DEPTH_MAX);
	buffer_append_char(printer->ret, brackets[0]);
	for (uint32_t i = 0; i < items->count; i++) {
		if (i > 0)
			buffer_append(printer->ret, node->kind == PICKLE_DICT && i % 2 == 1
							    ? SLICE(": ")
							    : SLICE(", "));
		if (!print(printer, items->list[i], depth + 1))
			return false;
	}
	if (node->kind == PICKLE_TUPLE && items->count == 1)
		buffer_append_char(printer->ret, ',');
	buffer_append_char(printer->ret, brackets[1]);
	return true;
}

/* Appends repr(node). What is too long is found after each node, and before what is as long as the
 * pickle itself: a str in repr has at most four times its bytes. */
static bool print(struct printer *printer, const struct pickle_node *node, unsigned depth)
{
	struct buffer *ret = printer->ret;
	bool has_bytes = node->kind == PICKLE_STR || node->kind == PICKLE_BYTES ||
			 node->kind == PICKLE_BYTEARRAY;

	if (ret->len > printer->max_len ||
	    (has_bytes && node->bytes.len > printer->max_len - ret->len))
		return fail(printer, node, "its text is too long");
	switch (node->kind) {
	case PICKLE_NONE:
		buffer_append(ret, SLICE("None"));
		break;
	case PICKLE_BOOL:
		buffer_append(ret, node->integer ? SLICE("True") : SLICE("False"));
		break;
	case PICKLE_INT:
		buffer_printf(ret, "%" PRId64, node->integer);
		break;
	case PICKLE_LONG:
		if (!python_number_int(node->bytes, ret))
			return fail(printer, node, "an int with more than %d digits",
				    PYTHON_INT_DIGITS_MAX);
		break;
	case PICKLE_FLOAT:
		python_number_float(node->real, ret);
		break;
	case PICKLE_STR:
		python_repr_of_str(ret, node->bytes, printer->release);
		break;
	case PICKLE_BYTES:
		python_repr_of_bytes(ret, node->bytes);
		break;
	case PICKLE_BYTEARRAY:
		buffer_append(ret, SLICE("bytearray("));
		append_bytes(ret, node->bytes, true);
		buffer_append_char(ret, ')');
		break;
	case PICKLE_TUPLE:
	case PICKLE_LIST:
	case PICKLE_DICT:
		if (!print_items(printer, node, depth))
			return false;
		break;
	case PICKLE_FROZENSET:
	case PICKLE_SET:
	case PICKLE_GLOBAL:
	case PICKLE_CALL:
		return refuse(printer, node);
	}
	if (ret->failed)
		return fail(printer, node, "out of memory");
	if (ret->len > printer->max_len)
		return fail(printer, node, "its text is too long");
	return true;
}

/* A str as it is. */
static bool print_str(struct printer *printer, const struct pickle_node *node)
{
	if (!utf8_is_valid(node->bytes))
		return fail(printer, node, "a str with a lone surrogate, which UTF-8 cannot have");
	if (node->bytes.len > printer->max_len - printer->ret->len)
		return fail(printer, node, "its text is too long");
	buffer_append(printer->ret, node->bytes);
	return !printer->ret->failed || fail(printer, node, "out of memory");
}

bool python_str(const struct pickle_node *value, enum python_release release, size_t max_bytes,
		struct buffer *ret, struct pickle_error *error)
{
	size_t start = ret->len;
	struct printer printer = {
		.release = release,
		.max_len = max_bytes > SIZE_MAX - start ? SIZE_MAX : start + max_bytes,
		.ret = ret,
		.error = error,
	};

	if (value->kind == PICKLE_STR ? print_str(&printer, value) : print(&printer, value, 0))
		return true;
	error->printed = ret->len - start;
	ret->len = start;
	return false;
}
