/* Reads pickles from stdin and prints what the server makes of them.
 *
 * usage: pickle_tool read|write|parts|str|str3.10|...|str3.15|view|whole|value [--many]
 *
 *     read    "NODES LENGTH PROTOCOL"
 *     write   a pickle of its own
 *     parts   of a list: a pickle for each item, after its length in 4 bytes (little-endian)
 *     str     str() of it; str3.10 and so on: of that release of Python
 *     view    its readable form, after a line with its type
 *     whole   the same with all numbers of arrays, and a str as it is
 *     value   the same of an entry's value: a pickle, or base64 of one
 *
 * On failure it prints "OFFSET: TEXT" on stderr and exits with 1. --many: stdin is any number of
 * pickles, each after its length in 4 bytes (little-endian); for each there is a byte, 0 or 1 for
 * failure, and the result or "OFFSET: TEXT" after its length, on stdout. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pickle/python_text.h"
#include "pickle/read.h"
#include "pickle/view.h"
#include "pickle/write.h"

#define TEXT_MAX ((size_t)64 * 1024 * 1024)

static bool show(const struct pickle_node *node, struct slice value, bool is_whole,
		 struct buffer *ret, struct pickle_error *error)
{
	struct pickle_view view = {
		.max_bytes = TEXT_MAX, .is_whole = is_whole, .is_exact = is_whole};
	bool is_ok = node ? pickle_view(node, &view) : pickle_view_value(value, NULL, &view, error);

	if (is_ok)
		buffer_printf(ret, "%s\n", view.type);
	buffer_append(ret, buffer_bytes(&view.text));
	buffer_deinit(&view.text);
	return is_ok;
}

static const char *const modes[] = {"read",    "write",   "parts",   "str",     "str3.10",
				    "str3.11", "str3.12", "str3.13", "str3.14", "str3.15",
				    "view",    "whole",   "value"};

static enum python_release release_of(const char *mode)
{
	return mode[3] ? (enum python_release)(mode[6] - '0') : PYTHON_RELEASE_DEFAULT;
}

/* Each item of a list as a pickle of its own, after its length. */
static bool write_parts(const struct pickle *pickle, const struct pickle_node *list,
			struct buffer *ret, struct pickle_error *error)
{
	if (list->kind != PICKLE_LIST) {
		*error = (struct pickle_error){.text = "no list"};
		return false;
	}
	for (uint32_t i = 0; i < list->items.count; i++) {
		size_t start = ret->len;

		buffer_append(ret, SLICE("1234"));
		if (!pickle_write(pickle, list->items.list[i], SIZE_MAX, ret, error))
			return false;
		uint32_t len = (uint32_t)(ret->len - start - 4);
		memcpy(ret->data + start, &len, sizeof(len));
	}
	return true;
}

static bool convert(const char *mode, struct slice bytes, struct buffer *ret,
		    struct pickle_error *error)
{
	size_t len;

	if (strcmp(mode, "value") == 0)
		return show(NULL, bytes, false, ret, error);

	struct pickle *pickle = pickle_read(bytes, NULL, &len, error);
	if (!pickle)
		return false;
	const struct pickle_node *root = pickle_root(pickle);
	bool is_ok = true;
	if (strcmp(mode, "write") == 0)
		is_ok = pickle_write(pickle, root, SIZE_MAX, ret, error);
	else if (strcmp(mode, "parts") == 0)
		is_ok = write_parts(pickle, root, ret, error);
	else if (strncmp(mode, "str", 3) == 0)
		is_ok = python_str(root, release_of(mode), TEXT_MAX, ret, error);
	else if (strcmp(mode, "view") == 0 || strcmp(mode, "whole") == 0)
		is_ok = show(root, bytes, *mode == 'w', ret, error);
	else
		buffer_printf(ret, "%zu %zu %u", pickle_node_count(pickle), len,
			      pickle_protocol(pickle));
	pickle_free(pickle);
	return is_ok;
}

static bool convert_or_explain(const char *mode, struct slice bytes, struct buffer *ret)
{
	struct pickle_error error = {.text = "no reason"};

	if (convert(mode, bytes, ret, &error))
		return true;
	ret->len = 0;
	buffer_printf(ret, "%" PRIu64 ": %s", error.offset, error.text);
	return false;
}

static void write_out(const void *data, size_t len, FILE *to)
{
	if (len > 0 && fwrite(data, 1, len, to) != len)
		abort();
}

/* Little-endian as the machines that this runs on. */
static int convert_many(const char *mode)
{
	uint32_t len;

	while (fread(&len, sizeof(len), 1, stdin) == 1) {
		char *data = malloc(len ? len : 1);
		struct buffer result = {0};

		if (!data || fread(data, 1, len, stdin) != len)
			abort();
		char status =
			convert_or_explain(mode, (struct slice){.data = data, .len = len}, &result)
				? 0
				: 1;
		uint32_t result_len = (uint32_t)result.len;
		write_out(&status, 1, stdout);
		write_out(&result_len, sizeof(result_len), stdout);
		write_out(result.data, result.len, stdout);
		(void)fflush(stdout);
		buffer_deinit(&result);
		free(data);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct buffer input = {0}, result = {0};
	bool is_known = false;
	size_t got = 0;

	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		is_known = is_known || strcmp(argv[1], modes[i]) == 0;
	if (!is_known) {
		(void)fprintf(stderr, "usage: pickle_tool "
				      "read|write|str|str3.10|...|str3.15|view|whole|value "
				      "[--many]\n");
		return 2;
	}
	if (argc > 2)
		return convert_many(argv[1]);
	do {
		if (!buffer_reserve(&input, 65536))
			abort();
		got = fread(input.data + input.len, 1, 65536, stdin);
		input.len += got;
	} while (got > 0);
	bool is_ok = convert_or_explain(argv[1], buffer_bytes(&input), &result);
	write_out(result.data, result.len, is_ok ? stdout : stderr);
	buffer_deinit(&result);
	buffer_deinit(&input);
	return !is_ok;
}
