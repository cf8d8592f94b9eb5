#include "handlers/transfer/import_input.h"

#include <stdlib.h>

#include "handlers/transfer/import_large.h"

/* How much of the room for a long line is kept. */
#define ROOM_KEPT_BYTES ((size_t)1 << 20)
/* More input than pieces of the body have belongs to a long line. */
#define LONG_LINE_BYTES ((size_t)128 << 10)
/* Room for a line besides its value and key. */
#define LINE_REST_BYTES 65536

void import_input_take(struct request *request, struct slice piece)
{
	struct import *import = request->state;
	struct buffer *input = &import->input;

	if (import->at > 0) {
		input->len -= import->at;
		import->seen -= import->at;
		if (input->len > 0)
			memmove(input->data, input->data + import->at, input->len);
		import->at = 0;
		if (input->len < ROOM_KEPT_BYTES / 2 && input->capacity > ROOM_KEPT_BYTES) {
			char *smaller = realloc(input->data, ROOM_KEPT_BYTES);

			if (smaller) {
				input->data = smaller;
				input->capacity = ROOM_KEPT_BYTES;
			}
		}
	}
	buffer_append(input, piece);
}

static size_t line_max_bytes(const struct import *import)
{
	const struct handler_context *context = import->request->context;

	return 2 * context->max_body_bytes + 6 * context->max_key_bytes + LINE_REST_BYTES;
}

bool import_input_next(struct import *import, bool is_end, char **ret, size_t *ret_len)
{
	struct buffer *input = &import->input;

	if (import->at == input->len)
		return false;
	char *from = input->data + import->at;
	char *feed = memchr(input->data + import->seen, '\n', input->len - import->seen);
	import->seen = feed ? (size_t)(feed - input->data) + 1 : input->len;
	if (!feed && !is_end) {
		if (!import->drops && input->len - import->at > line_max_bytes(import)) {
			import->line++;
			import_state_fail_line(
				import, "the line is longer than a value of the largest size "
					"(STEADYCACHE_MAX_BODY_MB) needs, as text with few escapes "
					"or in base64");
			import->drops = true;
			import->is_complete = false;
		}
		if (import->drops)
			import->at = input->len;
		return false;
	}
	*ret = from;
	*ret_len = (size_t)((feed ? feed : input->data + input->len) - from);
	import->at = import->seen;
	return true;
}

bool import_input_is_long(const struct request *request, bool is_end)
{
	const struct import *import = request->state;
	const struct buffer *input = &import->input;
	size_t waiting = input->len - import->at;

	if (import->large.spool)
		return import_large_is_ready(import, is_end);
	return waiting > LONG_LINE_BYTES &&
	       (is_end || memchr(input->data + import->seen, '\n', input->len - import->seen));
}
