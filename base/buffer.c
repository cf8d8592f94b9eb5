#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void buffer_deinit(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){0};
}

bool buffer_reserve(struct buffer *buffer, size_t extra)
{
	if (buffer->failed)
		return false;
	if (buffer->capacity - buffer->len >= extra)
		return true;

	size_t wanted = buffer->capacity < 128 ? 256 : buffer->capacity * 2;
	char *grown = NULL;
	if (extra <= SIZE_MAX / 4 && wanted <= SIZE_MAX / 4) {
		if (wanted - buffer->len < extra)
			wanted = buffer->len + extra;
		grown = realloc(buffer->data, wanted);
	}
	if (!grown) {
		buffer->failed = true;
		return false;
	}
	buffer->data = grown;
	buffer->capacity = wanted;
	return true;
}

void buffer_append(struct buffer *buffer, struct slice bytes)
{
	if (bytes.len == 0 || !buffer_reserve(buffer, bytes.len))
		return;
	memcpy(buffer->data + buffer->len, bytes.data, bytes.len);
	buffer->len += bytes.len;
}

void buffer_append_char(struct buffer *buffer, char c)
{
	if (buffer_reserve(buffer, 1))
		buffer->data[buffer->len++] = c;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !buffer_reserve(buffer, (size_t)len + 1)) {
		buffer->failed = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf(buffer->data + buffer->len, (size_t)len + 1, format, args);
	va_end(args);
	buffer->len += (size_t)len;
}
