#include "handlers/respond/response.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "handlers/respond/status.h"
#include "handlers/respond/stream.h"

void response_init(struct response *response)
{
	response->status = 200;
	response->body = BODY_NONE;
	response->is_json = false;
	response->close = false;
	response->is_unframed = false;
	response->is_guarded = false;
	response->buffer = (struct buffer){0};
	response->value = NULL;
	response->stream = NULL;
	response->value_offset = 0;
	response->value_len = 0;
	response->kept = (struct slice){0};
	response->drops_encoding = false;
	response->header_count = 0;
	response->storage_used = 0;
}

void response_deinit(struct response *response)
{
	buffer_deinit(&response->buffer);
	cache_value_release(response->value);
	response->value = NULL;
	if (response->stream)
		response->stream->close(response->stream);
	response->stream = NULL;
	response->body = BODY_NONE;
}

void response_header_add(struct response *response, const char *name, size_t name_len,
			 const char *value)
{
	if (response->header_count == RESPONSE_MAX_HEADERS)
		abort();
	response->headers[response->header_count++] =
		(struct response_header){.name = name, .value = value, .name_len = name_len};
}

char *response_header_room(struct response *response, const char *name, size_t len)
{
	if (sizeof(response->storage) - response->storage_used < len + 1)
		abort();
	char *room = response->storage + response->storage_used;
	response->storage_used += len + 1;
	response_header_static(response, name, room);
	return room;
}

void response_header_printf(struct response *response, const char *name, const char *format, ...)
{
	size_t left = sizeof(response->storage) - response->storage_used;
	char *text = response->storage + response->storage_used;
	va_list args;

	va_start(args, format);
	int len = vsnprintf(text, left, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= left)
		abort();
	for (int i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			text[i] = ' ';
	response->storage_used += (size_t)len + 1;
	response_header_static(response, name, text);
}

/* The answer is true now and may change at any time: without this, caches would keep much of it,
 * including misses, for a time of their own choosing (RFC 9111, 4.2.2). */
static void forbid_storing(struct response *response)
{
	response_header_static(response, "Cache-Control", "no-store");
}

void response_text(struct response *response, unsigned status, const char *content_type,
		   const char *text)
{
	forbid_storing(response);
	response->status = status;
	response->body = BODY_STATIC;
	response->static_body = slice_of(text);
	response_header_static(response, "Content-Type", content_type);
}

void response_json(struct response *response, unsigned status, struct buffer *json)
{
	forbid_storing(response);
	response_header_static(response, "Content-Type", "application/json; charset=UTF-8");
	if (json->failed) {
		buffer_deinit(json);
		response->status = status_http(CACHE_NO_MEMORY);
		response->body = BODY_STATIC;
		response->static_body = SLICE("{\"error\":\"out of memory\"}");
		return;
	}
	response->status = status;
	response->is_json = true;
	response->body = BODY_BUFFER;
	response->buffer = *json;
	*json = (struct buffer){0};
}

void response_value(struct response *response, unsigned status, struct cache_value *value)
{
	response->status = status;
	response->body = BODY_VALUE;
	response->value = value;
	response->value_offset = 0;
	response->value_len = cache_value_whole_len(value);
}

void response_stream(struct response *response, const char *content_type,
		     struct body_stream *stream)
{
	forbid_storing(response);
	response->status = 200;
	response->body = BODY_STREAM;
	response->stream = stream;
	response_header_static(response, "Content-Type", content_type);
}
