#include "backends/redis/command.h"

#include <inttypes.h>
#include <stdio.h>

/* A sign, 20 digits, CR LF, and NUL. */
#define HEAD_MAX_LEN 25

static void append_head(struct buffer *out, char sign, size_t number)
{
	char digits[HEAD_MAX_LEN];
	size_t at = sizeof(digits);

	digits[--at] = '\n';
	digits[--at] = '\r';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	digits[--at] = sign;
	buffer_append(out, (struct slice){.data = digits + at, .len = sizeof(digits) - at});
}

void redis_command_begin(struct remote_request *request, size_t words)
{
	append_head(&request->body, '*', words);
	request->replies++;
}

void redis_command_begin_word(struct remote_request *request, size_t len)
{
	append_head(&request->body, '$', len);
}

void redis_command_end_word(struct remote_request *request)
{
	buffer_append(&request->body, SLICE("\r\n"));
}

void redis_command_encode(struct buffer *out, struct slice word)
{
	append_head(out, '$', word.len);
	buffer_append(out, word);
	buffer_append(out, SLICE("\r\n"));
}

void redis_command_word(struct remote_request *request, struct slice word)
{
	redis_command_encode(&request->body, word);
}

void redis_command_integer(struct remote_request *request, int64_t number)
{
	char text[HEAD_MAX_LEN];
	int len = snprintf(text, sizeof(text), "%" PRId64, number);

	redis_command_word(request, (struct slice){.data = text, .len = (size_t)len});
}
