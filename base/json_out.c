#include "base/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>

/* The letter after the backslash of a short escape; 0: no escape; 'u': \u00xx. */
static char escape_of(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return c < 0x20 ? 'u' : 0;
	}
}

static void append_escaped(struct buffer *buffer, struct slice text)
{
	static const char hex[] = "0123456789abcdef";
	size_t from = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buffer_append(buffer, (struct slice){.data = text.data + from, .len = i - from});
		from = i + 1;
		char escape = escape_of(c);
		buffer_append_char(buffer, '\\');
		buffer_append_char(buffer, escape);
		if (escape == 'u')
			buffer_append(buffer, (struct slice){.data = (char[]){'0', '0', hex[c >> 4],
									      hex[c & 15]},
							     .len = 4});
	}
	buffer_append(buffer, (struct slice){.data = text.data + from, .len = text.len - from});
}

void json_out_string(struct buffer *buffer, struct slice text)
{
	(void)buffer_reserve(buffer, text.len + 2);
	buffer_append_char(buffer, '"');
	append_escaped(buffer, text);
	buffer_append_char(buffer, '"');
}

void json_out_base64(struct buffer *buffer, struct slice bytes)
{
	size_t len = BASE64_ENCODE_RAW_LENGTH(bytes.len);

	buffer_append_char(buffer, '"');
	if (buffer_reserve(buffer, len + 1)) {
		base64_encode_raw(buffer->data + buffer->len, bytes.len,
				  (const uint8_t *)bytes.data);
		buffer->len += len;
	}
	buffer_append_char(buffer, '"');
}

void json_out_integer(struct buffer *buffer, int64_t number)
{
	buffer_printf(buffer, "%" PRId64, number);
}

void json_out_double(struct buffer *buffer, double number)
{
	char text[40];

	if (number == trunc(number) && fabs(number) < 1e15) {
		json_out_integer(buffer, (int64_t)number);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	json_out_raw(buffer, text);
}

void json_out_time(struct buffer *buffer, int64_t time_us)
{
	/* Before 1970: the clock is not set. */
	const char *sign = time_us < 0 ? "-" : "";

	time_us = time_us < 0 ? -time_us : time_us;
	buffer_printf(buffer, "%s%" PRId64 ".%06" PRId64, sign, time_us / US_PER_S,
		      time_us % US_PER_S);
}

void json_out_raw(struct buffer *buffer, const char *json)
{
	buffer_append(buffer, slice_of(json));
}

void json_out_value(struct buffer *buffer, const struct cache_value *value)
{
	struct slice bytes = cache_value_bytes(value);

	buffer_append(buffer, SLICE("\"value\":"));
	if (value->flags & CACHE_VALUE_JSON_PLAIN) {
		/* Nearly every such value is the base64 of a pickle. */
		if (buffer_reserve(buffer, bytes.len + 2)) {
			char *out = buffer->data + buffer->len;

			*out++ = '"';
			if (bytes.len > 0)
				memcpy(out, bytes.data, bytes.len);
			out[bytes.len] = '"';
			buffer->len += bytes.len + 2;
		}
	} else if (value->flags & CACHE_VALUE_UTF8) {
		json_out_string(buffer, bytes);
	} else {
		json_out_base64(buffer, bytes);
		buffer_append(buffer, SLICE(",\"encoding\":\"base64\""));
	}
}
