#include "steadytext/column_key.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "steadytext/spelling.h"

#define SEPARATOR "::"

/* How the parts of a key were a key. */
enum shape { SHAPE_STR, SHAPE_TUPLE, SHAPE_TUPLE_WITH_INT };

/* Appends what `part` is base64 of; false unless it is that exactly, of UTF-8. */
static bool decode(struct slice part, struct buffer *ret)
{
	struct base64_decode_ctx context;
	size_t len = BASE64_DECODE_LENGTH(part.len);

	for (size_t i = 0; i < part.len; i++)
		if ((unsigned char)part.data[i] <= ' ')
			return false;
	if (!buffer_reserve(ret, len + 1)) {
		ret->failed = true;
		return true;
	}
	base64_decode_init(&context);
	if (!base64_decode_update(&context, &len, (uint8_t *)ret->data + ret->len, part.len,
				  part.data) ||
	    !base64_decode_final(&context))
		return false;
	struct slice text = {.data = ret->data + ret->len, .len = len};
	ret->len += len;
	return utf8_is_valid(text);
}

static struct slice next_part(struct slice *rest, bool *ret_is_last)
{
	const char *end = rest->len > 0
				  ? memmem(rest->data, rest->len, SEPARATOR, strlen(SEPARATOR))
				  : NULL; /* the data of an empty text may be NULL */
	struct slice part = *rest;

	*ret_is_last = !end;
	if (!end)
		return part;
	part.len = (size_t)(end - rest->data);
	rest->data = end + strlen(SEPARATOR);
	rest->len -= part.len + strlen(SEPARATOR);
	return part;
}

/* As Python prints an int. */
static bool is_int(struct slice text)
{
	size_t digits = text.len;
	const char *at = text.data;

	if (digits > 1 && *at == '-')
		at++, digits--;
	if (digits == 0 || digits > 100 || (*at == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < digits; i++)
		if (at[i] < '0' || at[i] > '9')
			return false;
	return true;
}

static enum shape shape_of(const char *ns, struct slice column)
{
	size_t parts = 1;
	bool is_last = false;

	for (struct slice rest = column; parts <= 3; parts++) {
		(void)next_part(&rest, &is_last);
		if (is_last)
			break;
	}
	if (parts == 3 && strcmp(ns, "index_search_cache") == 0)
		return SHAPE_TUPLE_WITH_INT;
	return parts > 1 || strcmp(ns, "embedding_cache") == 0 ? SHAPE_TUPLE : SHAPE_STR;
}

/* Appends str() of a tuple of the parts. */
static bool read_tuple(struct slice column, bool with_int, unsigned spelling, struct buffer *ret)
{
	struct buffer text = {0};
	struct slice rest = column;
	bool is_good = true;
	bool is_last = false;
	size_t parts = 0;

	buffer_append_char(ret, '(');
	while (is_good && !is_last) {
		text.len = 0;
		is_good = decode(next_part(&rest, &is_last), &text);
		if (!is_good || text.failed)
			break;
		if (parts++ > 0)
			buffer_append(ret, SLICE(", "));
		if (is_last && with_int && is_int(buffer_bytes(&text)))
			buffer_append(ret, buffer_bytes(&text));
		else
			python_repr_of_str(ret, buffer_bytes(&text),
					   steadytext_spelling_release(spelling));
	}
	if (parts == 1)
		buffer_append_char(ret, ',');
	buffer_append_char(ret, ')');
	ret->failed |= text.failed;
	buffer_deinit(&text);
	return is_good;
}

bool steadytext_column_key_read(const char *ns, struct slice column, unsigned spelling,
				struct buffer *ret)
{
	enum shape shape = shape_of(ns, column);

	return shape == SHAPE_STR
		       ? decode(column, ret)
		       : read_tuple(column, shape == SHAPE_TUPLE_WITH_INT, spelling, ret);
}
