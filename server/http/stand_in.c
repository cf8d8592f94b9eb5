#include "server/http/stand_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Limits of the target, and of everything but the lines that give the request an id. */
#define TARGET_SHOWN_BYTES 64
#define STAND_IN_BYTES     128

/* The method of a head that was refused, with its blank, if the server knows it. */
static struct slice method_of(struct slice head)
{
	static const char *const methods[] = {"GET ", "HEAD ", "POST ", "PUT ", "DELETE "};

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		size_t len = strlen(methods[i]);

		if (head.len > len && memcmp(head.data, methods[i], len) == 0)
			return slice_of(methods[i]);
	}
	return (struct slice){.data = "", .len = 0};
}

/* As much of its path as can be recognized. */
static struct slice path_of(struct slice head, size_t at)
{
	size_t len = 0;

	while (at + len < head.len && len < TARGET_SHOWN_BYTES && head.data[at + len] > ' ' &&
	       head.data[at + len] < 0x7F && head.data[at + len] != '?')
		len++;
	return len > 0 && head.data[at] == '/' ? (struct slice){.data = head.data + at, .len = len}
					       : SLICE("/");
}

/* Appends those of the valid lines that give the request an id. */
static size_t copy_trace_lines(char *text, struct slice lines)
{
	static const struct slice names[] = {SLICE("X-Request-Id:"), SLICE("traceparent:"),
					     SLICE("tracestate:")};
	size_t copied = 0;

	while (lines.len > 0) {
		const char *end = memchr(lines.data, '\n', lines.len);
		size_t len = end ? (size_t)(end + 1 - lines.data) : lines.len;

		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
			if (len <= names[i].len ||
			    strncasecmp(lines.data, names[i].data, names[i].len) != 0)
				continue;
			memcpy(text + copied, lines.data, len);
			copied += len;
		}
		lines = (struct slice){.data = lines.data + len, .len = lines.len - len};
	}
	return copied;
}

char *stand_in_make(struct slice refused, size_t good_len, size_t *ret_len)
{
	const struct slice method = method_of(refused);
	const struct slice path = path_of(refused, method.len);
	size_t size = STAND_IN_BYTES + good_len;
	char *text = malloc(size);

	if (!text)
		return NULL;
	size_t len =
		(size_t)snprintf(text, size, "%s%.*s HTTP/1.1\r\nHost: localhost\r\n",
				 method.len > 0 ? method.data : "GET ", (int)path.len, path.data);
	len += copy_trace_lines(text + len, (struct slice){.data = refused.data, .len = good_len});
	memcpy(text + len, "\r\n", 2);
	*ret_len = len + 2;
	return text;
}
