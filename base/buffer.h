/* A growing run of bytes with a cap and a sticky failure: append without checking, ask once. */
#ifndef STEADYCACHE_BASE_BUFFER_H
#define STEADYCACHE_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct buffer {
	char *data; /* malloc'ed; NULL while empty */
	size_t len, capacity;
	bool failed; /* an append ran out of memory; the earlier bytes stay */
};

/* A buffer needs no init except `= { 0 }`. */
void buffer_deinit(struct buffer *buffer);

/* Makes room for `extra` more bytes, which the caller may write at data + len. False: out of
 * memory. */
bool buffer_reserve(struct buffer *buffer, size_t extra);

void buffer_append(struct buffer *buffer, struct slice bytes);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline struct slice buffer_bytes(const struct buffer *buffer)
{
	return (struct slice){.data = buffer->data, .len = buffer->len};
}

#endif
