/* ?pretty: rewrites compact JSON with an indent of two spaces, as JSON.stringify(x, null, 2) does.
 * The input is our own, so it is known to be valid. */
#include "handlers/respond/pretty.h"

static void new_line(struct buffer *out, size_t depth)
{
	buffer_append_char(out, '\n');
	for (size_t i = 0; i < depth; i++)
		buffer_append(out, SLICE("  "));
}

/* Copies the string that begins at `at`; returns where it ends. */
static size_t copy_string(struct buffer *out, struct slice in, size_t at)
{
	size_t end = at + 1;

	while (end < in.len && in.data[end] != '"')
		end += in.data[end] == '\\' ? 2 : 1;
	buffer_append(out, (struct slice){.data = in.data + at, .len = end + 1 - at});
	return end;
}

void respond_pretty(struct response *response)
{
	struct slice in = buffer_bytes(&response->buffer);
	struct buffer out = {0};
	size_t depth = 0;

	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i];

		if (c == '"') {
			i = copy_string(&out, in, i);
		} else if (c == '{' || c == '[') {
			buffer_append_char(&out, c);
			if (i + 1 < in.len && (in.data[i + 1] == '}' || in.data[i + 1] == ']'))
				buffer_append_char(&out, in.data[++i]);
			else
				new_line(&out, ++depth);
		} else if (c == '}' || c == ']') {
			new_line(&out, --depth);
			buffer_append_char(&out, c);
		} else {
			buffer_append_char(&out, c);
			if (c == ',')
				new_line(&out, depth);
			else if (c == ':')
				buffer_append_char(&out, ' ');
		}
	}
	if (out.failed) {
		buffer_deinit(&out);
		return; /* the compact answer is an answer too */
	}
	buffer_deinit(&response->buffer);
	response->buffer = out;
}
