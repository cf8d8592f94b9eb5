/* A long string stands in what the JSON library reads as "@OFFSET,LENGTH", which no base64 is;
 * where that points to is checked. */
#include "backends/dynamodb/answer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/remote/wire.h"
#include "base/buffer.h"

#define LONG_BYTES 512

static _Thread_local struct slice current;

/* The end of the string that begins at `at`, behind its quote; NULL: it has none. */
static const char *end_of_string(const char *at, const char *end)
{
	while (at < end) {
		const char *quote = memchr(at, '"', (size_t)(end - at));
		const char *escape = quote ? memchr(at, '\\', (size_t)(quote - at)) : NULL;

		if (!escape)
			return quote;
		at = escape + 2;
	}
	return NULL;
}

/* Copies `body`, but for what is in long strings. */
static void shorten(struct slice body, struct buffer *out)
{
	const char *end = body.data + body.len;
	const char *copied = body.data;
	const char *at = body.data;

	while ((at = memchr(at, '"', (size_t)(end - at)))) {
		const char *start = at + 1;
		const char *stop = end_of_string(start, end);

		if (!stop)
			break;
		if (stop - start >= LONG_BYTES && !memchr(start, '\\', (size_t)(stop - start))) {
			buffer_append(out, (struct slice){copied, (size_t)(start - copied)});
			buffer_printf(out, "@%zu,%zu", (size_t)(start - body.data),
				      (size_t)(stop - start));
			copied = stop;
		}
		at = stop + 1;
	}
	buffer_append(out, (struct slice){copied, (size_t)(end - copied)});
}

bool dynamodb_answer_read(struct slice body, json_t **ret)
{
	struct buffer shorter = {0};
	bool is_read = false;

	*ret = NULL;
	current = body;
	if (body.len == 0)
		return true;
	shorten(body, &shorter);
	if (!shorter.failed)
		is_read = remote_wire_read_object(buffer_bytes(&shorter), ret);
	buffer_deinit(&shorter);
	return is_read;
}

struct slice dynamodb_answer_text(const json_t *string)
{
	struct slice text = {.data = json_string_value(string), .len = json_string_length(string)};
	char *at = NULL;

	if (text.len == 0 || text.data[0] != '@')
		return text;
	size_t offset = strtoul(text.data + 1, &at, 10);
	size_t len = *at == ',' ? strtoul(at + 1, &at, 10) : SIZE_MAX;
	if (*at != '\0' || offset > current.len || len > current.len - offset)
		return (struct slice){0};
	return (struct slice){.data = current.data + offset, .len = len};
}

/* ---- Base64 ---- */

#define NO_DIGIT 0xFFU

size_t dynamodb_answer_decoded_max(struct slice text)
{
	return text.len / 4 * 3;
}

static const uint8_t *digits(void)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static _Thread_local uint8_t table[256];
	static _Thread_local bool is_made;

	if (!is_made) {
		memset(table, (int)NO_DIGIT, sizeof(table));
		for (uint8_t i = 0; i < 64; i++)
			table[(unsigned char)alphabet[i]] = i;
		is_made = true;
	}
	return table;
}

/* Four digits at `in` as three bytes; false: one is none. */
static inline bool decode_four(const uint8_t *table, const unsigned char *in, char *out)
{
	unsigned a = table[in[0]], b = table[in[1]], c = table[in[2]], d = table[in[3]];
	unsigned bits = a << 18 | b << 12 | c << 6 | d;

	if ((a | b | c | d) == NO_DIGIT)
		return false;
	out[0] = (char)(bits >> 16);
	out[1] = (char)(bits >> 8);
	out[2] = (char)bits;
	return true;
}

bool dynamodb_answer_decode(struct slice text, char *room, size_t *ret_len)
{
	const uint8_t *table = digits();
	const unsigned char *in = (const unsigned char *)text.data;
	size_t padding = 0;

	*ret_len = 0;
	if (text.len == 0)
		return true;
	if (text.len % 4 != 0)
		return false;
	while (padding < 2 && in[text.len - 1 - padding] == '=')
		padding++;
	size_t whole = padding > 0 ? text.len - 4 : text.len;
	for (size_t i = 0; i < whole; i += 4)
		if (!decode_four(table, in + i, room + i / 4 * 3))
			return false;
	*ret_len = dynamodb_answer_decoded_max(text) - padding;
	if (padding == 0)
		return true;
	unsigned char last[4] = {in[whole], in[whole + 1], padding == 2 ? 'A' : in[whole + 2], 'A'};
	char bytes[3];
	if (!decode_four(table, last, bytes))
		return false;
	memcpy(room + whole / 4 * 3, bytes, 3 - padding);
	return true;
}
