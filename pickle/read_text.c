#include "pickle/read_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pickle/read_utf8.h"

/* Python's own limit (sys.int_info.default_max_str_digits), because the conversion is quadratic. */
#define DIGITS_MAX 4300
#define CHUNK      18 /* digits that fit a uint64_t */
/* Python writes at most 24 bytes. */
#define FLOAT_TEXT_MAX 400

/* The value of up to CHUNK digits. */
static uint64_t value_of(const char *digits, size_t count)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++)
		value = value * 10 + (uint64_t)(digits[i] - '0');
	return value;
}

static struct pickle_node *big_int(struct pickle_machine *machine, struct slice digits,
				   bool is_negative)
{
	/* log2(10) < 3.33, and one more for the sign. */
	uint64_t words[DIGITS_MAX * 333 / 100 / 64 + 2] = {0};
	size_t count = 1;

	for (size_t at = 0; at < digits.len;) {
		/* The first chunk is the short one. */
		size_t len = (digits.len - at) % CHUNK ? (digits.len - at) % CHUNK : CHUNK;
		uint64_t carry = value_of(&digits.data[at], len);

		for (size_t i = 0; i < count; i++) {
			unsigned __int128 word =
				(unsigned __int128)words[i] * UINT64_C(1000000000000000000) + carry;
			words[i] = (uint64_t)word;
			carry = (uint64_t)(word >> 64);
		}
		if (carry)
			words[count++] = carry;
		at += len;
	}

	uint64_t carry = 1;
	for (size_t i = 0; is_negative && i <= count; i++) {
		words[i] = ~words[i] + carry;
		carry = carry && words[i] == 0;
	}
	size_t size = (count + 1) * sizeof(words[0]);
	char *bytes = pickle_arena_alloc(&machine->pickle->arena, size);
	if (!bytes) {
		(void)pickle_fail_memory(machine);
		return NULL;
	}
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(words[i / 8] >> (i % 8 * 8));
	return pickle_new_long(machine, (struct slice){.data = bytes, .len = size});
}

struct pickle_node *pickle_text_int(struct pickle_machine *machine, struct slice line)
{
	bool has_sign = line.len > 0 && (line.data[0] == '-' || line.data[0] == '+');
	bool is_negative = has_sign && line.data[0] == '-';
	struct slice digits = {.data = line.data + has_sign, .len = line.len - has_sign};

	if (digits.len > DIGITS_MAX) {
		(void)pickle_fail(machine, "an int of more than %d digits, which Python refuses",
				  DIGITS_MAX);
		return NULL;
	}
	bool is_number = digits.len > 0 && (digits.data[0] != '0' || digits.len == 1);
	for (size_t i = 0; i < digits.len; i++)
		is_number = is_number && digits.data[i] >= '0' && digits.data[i] <= '9';
	if (!is_number) {
		(void)pickle_fail(machine, "%s needs a line with a decimal number",
				  machine->opcode);
		return NULL;
	}
	if (digits.len > CHUNK)
		return big_int(machine, digits, is_negative);
	int64_t value = (int64_t)value_of(digits.data, digits.len);
	return pickle_new_int(machine, is_negative ? -value : value);
}

struct pickle_node *pickle_text_float(struct pickle_machine *machine, struct slice line)
{
	char text[FLOAT_TEXT_MAX + 1];
	char *end = text;
	double real = 0;

	/* Neither blanks nor hexadecimal digits, which strtod() takes too. */
	if (line.len > 0 && line.len < sizeof(text)) {
		memcpy(text, line.data, line.len);
		text[line.len] = '\0';
		if (!strpbrk(text, " \t\v\f\rxX(")) {
			errno = 0;
			real = strtod(text, &end);
		}
	}
	if (end == text || end != &text[line.len]) {
		(void)pickle_fail(machine, "%s needs a line with a float", machine->opcode);
		return NULL;
	}
	if (errno == ERANGE && isinf(real)) {
		(void)pickle_fail(machine, "a float that is too large");
		return NULL;
	}
	return pickle_new_float(machine, real);
}

/* Text that is first measured, then written. */
struct sink {
	char *data; /* NULL: only measured */
	size_t len;
};

static void put_byte(struct sink *sink, uint32_t byte)
{
	if (sink->data)
		sink->data[sink->len] = (char)byte;
	sink->len++;
}

static void put_code_point(struct sink *sink, uint32_t c)
{
	if (c < 0x80) {
		put_byte(sink, c);
		return;
	}
	if (c < 0x800) {
		put_byte(sink, 0xC0 | c >> 6);
	} else {
		if (c < 0x10000) {
			put_byte(sink, 0xE0 | c >> 12);
		} else {
			put_byte(sink, 0xF0 | c >> 18);
			put_byte(sink, 0x80 | (c >> 12 & 0x3F));
		}
		put_byte(sink, 0x80 | (c >> 6 & 0x3F));
	}
	put_byte(sink, 0x80 | (c & 0x3F));
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `count` hexadecimal digits at `at`; -1: there are fewer. */
static int64_t hex_number(struct slice text, size_t at, size_t count)
{
	int64_t value = 0;

	if (text.len - at < count)
		return -1;
	for (size_t i = 0; i < count; i++) {
		int digit = hex_digit(text.data[at + i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* Bytes are code points, and \uXXXX and \UXXXXXXXX are too. The byte after another \ stays. */
static bool decode_unicode(struct pickle_machine *machine, struct slice line, struct sink *sink)
{
	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = (uint8_t)line.data[i];

		if (c != '\\' || i + 1 == line.len) {
			put_code_point(sink, c);
			continue;
		}
		c = (uint8_t)line.data[++i];
		if (c != 'u' && c != 'U') {
			put_byte(sink, '\\');
			put_code_point(sink, c);
			continue;
		}
		size_t count = c == 'u' ? 4 : 8;
		int64_t value = hex_number(line, i + 1, count);
		if (value < 0 || value > 0x10FFFF)
			return pickle_fail(machine, "a \\%c in a str without a code point", c);
		put_code_point(sink, (uint32_t)value);
		i += count;
	}
	return true;
}

/* The escapes of a literal of Python 2, without those of Unicode; only ASCII comes of it. */
static bool decode_string(struct pickle_machine *machine, struct slice line, struct sink *sink)
{
	static const char names[] = "\\'\"bftnrva";
	static const char values[] = "\\'\"\b\f\t\n\r\v\a";

	for (size_t i = 0; i < line.len; i++) {
		uint32_t c = (uint8_t)line.data[i];

		if (c == '\\') {
			if (++i == line.len)
				return pickle_fail(machine, "a \\ at the end of a string");
			char escape = line.data[i];
			const char *known = escape ? strchr(names, escape) : NULL;
			if (known) {
				c = (uint8_t)values[known - names];
			} else if (escape >= '0' && escape <= '7') {
				c = (uint32_t)(escape - '0');
				for (int more = 0;
				     more < 2 && i + 1 < line.len && line.data[i + 1] >= '0' &&
				     line.data[i + 1] <= '7';
				     more++)
					c = c << 3 | (uint32_t)(line.data[++i] - '0');
				c &= 0xFF;
			} else if (escape == 'x') {
				int64_t value = hex_number(line, i + 1, 2);

				if (value < 0)
					return pickle_fail(machine,
							   "a \\x in a string without two digits");
				c = (uint32_t)value;
				i += 2;
			} else {
				put_byte(sink, '\\'); /* no escape */
				c = (uint8_t)escape;
			}
		}
		if (c > 0x7F)
			return pickle_fail(machine, "a byte string of Python 2 that is not ASCII: "
						    "whether it is text is not known");
		put_byte(sink, c);
	}
	return true;
}

static struct pickle_node *decoded(struct pickle_machine *machine, struct slice line,
				   bool (*decode)(struct pickle_machine *, struct slice,
						  struct sink *))
{
	struct sink sink = {0};

	if (pickle_is_ascii(line) && (line.len == 0 || !memchr(line.data, '\\', line.len)))
		return pickle_new_bytes(machine, PICKLE_STR, line);
	if (!decode(machine, line, &sink))
		return NULL;
	char *data = pickle_arena_alloc(&machine->pickle->arena, sink.len);
	if (!data) {
		(void)pickle_fail_memory(machine);
		return NULL;
	}
	sink = (struct sink){.data = data};
	(void)decode(machine, line, &sink);
	return pickle_new_bytes(machine, PICKLE_STR,
				(struct slice){.data = sink.data, .len = sink.len});
}

struct pickle_node *pickle_text_unicode(struct pickle_machine *machine, struct slice line)
{
	return decoded(machine, line, decode_unicode);
}

struct pickle_node *pickle_text_string(struct pickle_machine *machine, struct slice line)
{
	char quote = '\0';

	if (line.len >= 2)
		quote = line.data[0];
	if ((quote != '\'' && quote != '"') || line.data[line.len - 1] != quote) {
		(void)pickle_fail(machine, "%s needs a line with a string in quotes",
				  machine->opcode);
		return NULL;
	}
	return decoded(machine, (struct slice){.data = line.data + 1, .len = line.len - 2},
		       decode_string);
}

struct pickle_node *pickle_text_ascii(struct pickle_machine *machine, struct slice bytes)
{
	if (!pickle_is_ascii(bytes)) {
		(void)pickle_fail(machine,
				  "a byte string of Python 2 that is not ASCII: whether it "
				  "is text is not known");
		return NULL;
	}
	return pickle_new_bytes(machine, PICKLE_STR, bytes);
}

bool pickle_text_to_latin1(struct pickle_machine *machine, struct slice text, struct slice *ret)
{
	if (pickle_is_ascii(text)) {
		*ret = text;
		return true;
	}

	size_t len = pickle_code_points(text);
	uint8_t *bytes = pickle_arena_alloc(&machine->pickle->arena, len);
	if (!bytes)
		return pickle_fail_memory(machine);
	if (!pickle_to_latin1(text, len, bytes))
		return pickle_fail(machine, "bytes as text that is not Latin-1");
	*ret = (struct slice){.data = (const char *)bytes, .len = len};
	return true;
}
