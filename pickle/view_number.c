#include "pickle/view_number.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pickle/python_number.h"
#include "pickle/python_text.h"

/* An element of a string type counts this much at most. */
#define STRING_BYTES_MAX (UINT32_C(1) << 30)

/* ---- Data types ---- */

static bool has_size(char kind, uint32_t size)
{
	switch (kind) {
	case 'b':
		return size == 1;
	case 'i':
	case 'u':
		return size == 1 || size == 2 || size == 4 || size == 8;
	case 'f':
		return size == 2 || size == 4 || size == 8;
	case 'c':
		return size == 8 || size == 16;
	case 'M':
	case 'm':
		return size == 8;
	default:
		return true;
	}
}

static const char *word_of(char kind)
{
	switch (kind) {
	case 'b':
		return "bool";
	case 'i':
		return "int";
	case 'u':
		return "uint";
	case 'f':
		return "float";
	case 'c':
		return "complex";
	default:
		return NULL;
	}
}

static void name_dtype(struct view_dtype *dtype)
{
	const char *word = word_of(dtype->kind);
	uint32_t count = dtype->kind == 'U' ? dtype->size / 4 : dtype->size;

	if (dtype->is_big_endian || dtype->kind == 'U')
		(void)snprintf(dtype->name, sizeof(dtype->name), "%c%c%" PRIu32,
			       dtype->is_big_endian ? '>' : '<', dtype->kind, count);
	else if (dtype->kind == 'b')
		(void)snprintf(dtype->name, sizeof(dtype->name), "bool");
	else if (word)
		(void)snprintf(dtype->name, sizeof(dtype->name), "%s%" PRIu32, word, count * 8);
	else if (dtype->kind == 'M' || dtype->kind == 'm')
		(void)snprintf(dtype->name, sizeof(dtype->name), "%s64",
			       dtype->kind == 'M' ? "datetime" : "timedelta");
	else
		(void)snprintf(dtype->name, sizeof(dtype->name), "%c%" PRIu32, dtype->kind, count);
}

bool view_number_dtype(struct slice text, char order, struct view_dtype *ret)
{
	uint64_t size = 0;

	*ret = (struct view_dtype){0};
	if (text.len < 2 || text.len > 10 || !memchr("biufcSUVMm", text.data[0], 10))
		return false;
	ret->kind = text.data[0];
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		size = size * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (ret->kind == 'U')
		size *= 4;
	if (size == 0 || size > STRING_BYTES_MAX || !has_size(ret->kind, (uint32_t)size))
		return false;
	ret->size = (uint32_t)size;
	ret->is_big_endian = order == '>' && ret->kind != 'S' && ret->kind != 'V' && size > 1;
	name_dtype(ret);
	return true;
}

/* ---- Numbers ---- */

/* `count` bytes as an unsigned number. */
static uint64_t load(const char *bytes, size_t count, bool is_big_endian)
{
	uint64_t number = 0;

	for (size_t i = 0; i < count; i++)
		number = number << 8 | (unsigned char)bytes[is_big_endian ? i : count - 1 - i];
	return number;
}

/* `is_part`: of a complex number. */
static void put_real(const char *bytes, size_t size, bool is_big_endian, bool is_part,
		     struct buffer *ret)
{
	python_number_real(load(bytes, size, is_big_endian), size, is_part, ret);
}

static void put_complex(const struct view_dtype *dtype, const char *bytes, struct buffer *ret)
{
	size_t half = dtype->size / 2;
	struct buffer second = {0};

	put_real(bytes + half, half, dtype->is_big_endian, true, &second);
	buffer_append_char(ret, '(');
	put_real(bytes, half, dtype->is_big_endian, true, ret);
	if (second.len > 0 && second.data[0] != '-')
		buffer_append_char(ret, '+');
	buffer_append(ret, buffer_bytes(&second));
	buffer_append(ret, SLICE("j)"));
	ret->failed = ret->failed || second.failed;
	buffer_deinit(&second);
}

static void put_signed(const struct view_dtype *dtype, const char *bytes, struct buffer *ret)
{
	uint64_t bits = load(bytes, dtype->size, dtype->is_big_endian);
	uint64_t sign = UINT64_C(1) << ((dtype->size * 8 - 1) & 63);
	int64_t number = (int64_t)((bits ^ sign) - sign);

	if (dtype->kind != 'i' && number == INT64_MIN)
		buffer_append(ret, SLICE("NaT"));
	else
		buffer_printf(ret, "%" PRId64, number);
}

/* ---- Strings ---- */

static void append_code_point(struct buffer *ret, uint32_t c)
{
	if (c > 0x10ffff)
		c = 0xfffd;
	if (c < 0x80) {
		buffer_append_char(ret, (char)c);
		return;
	}
	if (c < 0x800) {
		buffer_append_char(ret, (char)(0xc0 | c >> 6));
	} else if (c < 0x10000) {
		buffer_append_char(ret, (char)(0xe0 | c >> 12));
		buffer_append_char(ret, (char)(0x80 | (c >> 6 & 63)));
	} else {
		buffer_append_char(ret, (char)(0xf0 | c >> 18));
		buffer_append_char(ret, (char)(0x80 | (c >> 12 & 63)));
		buffer_append_char(ret, (char)(0x80 | (c >> 6 & 63)));
	}
	buffer_append_char(ret, (char)(0x80 | (c & 63)));
}

/* Zeros at the end are padding. */
static void put_text(const struct view_dtype *dtype, const char *bytes, size_t max_bytes,
		     struct buffer *ret)
{
	struct buffer text = {0};
	size_t count = dtype->size / 4;

	while (count > 0 && load(bytes + (count - 1) * 4, 4, dtype->is_big_endian) == 0)
		count--;
	for (size_t i = 0; i < count && i < max_bytes; i++)
		append_code_point(&text, (uint32_t)load(bytes + i * 4, 4, dtype->is_big_endian));
	python_repr_of_str(ret, buffer_bytes(&text), PYTHON_RELEASE_DEFAULT);
	ret->failed = ret->failed || text.failed;
	buffer_deinit(&text);
}

static void put_bytes(const struct view_dtype *dtype, const char *bytes, size_t max_bytes,
		      struct buffer *ret)
{
	size_t len = dtype->size;

	while (dtype->kind == 'S' && len > 0 && bytes[len - 1] == '\0')
		len--;
	len = len < max_bytes ? len : max_bytes;
	python_repr_of_bytes(ret, (struct slice){.data = bytes, .len = len});
}

void view_number_put(const struct view_dtype *dtype, const char *bytes, size_t max_bytes,
		     struct buffer *ret)
{
	switch (dtype->kind) {
	case 'b':
		buffer_append(ret, slice_of(*bytes ? "True" : "False"));
		break;
	case 'i':
	case 'M':
	case 'm':
		put_signed(dtype, bytes, ret);
		break;
	case 'u':
		buffer_printf(ret, "%" PRIu64, load(bytes, dtype->size, dtype->is_big_endian));
		break;
	case 'f':
		put_real(bytes, dtype->size, dtype->is_big_endian, false, ret);
		break;
	case 'c':
		put_complex(dtype, bytes, ret);
		break;
	case 'U':
		put_text(dtype, bytes, max_bytes, ret);
		break;
	default:
		put_bytes(dtype, bytes, max_bytes, ret);
		break;
	}
}
