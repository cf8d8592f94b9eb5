#include "handlers/json/json_scan_string.h"

#include "base/utf8.h"

void json_scan_blank(struct scan_cursor *cursor)
{
	while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\n' ||
					    *cursor->at == '\r' || *cursor->at == '\t'))
		cursor->at++;
}

bool json_scan_take(struct scan_cursor *cursor, char c)
{
	json_scan_blank(cursor);
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* The four hex digits at `at`; -1 if they are not hex or go beyond `end`. */
static int32_t read_hex(const char *at, const char *end)
{
	int32_t number = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;

		if (digit < 0)
			return -1;
		number = number * 16 + digit;
	}
	return number;
}

/* The code point of a \u escape whose digits begin at `at`; *ret_len is the length after the 'u'.
 * -1: not a valid escape. */
static int32_t read_code_point(const char *at, const char *end, size_t *ret_len)
{
	int32_t high = read_hex(at, end);

	*ret_len = 4;
	if (high < 0xD800 || high > 0xDFFF)
		return high;
	if (high > 0xDBFF || end - at < 10 || at[4] != '\\' || at[5] != 'u')
		return -1;
	int32_t low = read_hex(at + 6, end);
	if (low < 0xDC00 || low > 0xDFFF)
		return -1;
	*ret_len = 10;
	return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* The character of a one-letter escape; 0: there is none. */
static char unescape(char letter)
{
	switch (letter) {
	case '"':
	case '\\':
	case '/':
		return letter;
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	default:
		return '\0';
	}
}

bool json_scan_escapes_are_good(struct slice text)
{
	const char *end = text.data + text.len;

	for (const char *at = text.data; (at = memchr(at, '\\', (size_t)(end - at)));) {
		size_t len = 0;

		if (++at == end)
			return false;
		if (*at == 'u' && read_code_point(at + 1, end, &len) < 0)
			return false;
		if (*at != 'u' && unescape(*at) == '\0')
			return false;
		at += 1 + len;
	}
	return true;
}

static bool has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] < 0x20)
			return true;
	return false;
}

bool json_scan_string(struct scan_cursor *cursor, struct slice *ret)
{
	if (!json_scan_take(cursor, '"'))
		return false;
	char *from = cursor->at;
	char *quote = memchr(from, '"', (size_t)(cursor->end - from));
	if (!quote)
		return false;
	*ret = (struct slice){.data = from, .len = (size_t)(quote - from)};
	cursor->at = quote + 1;
	if (utf8_is_json_plain(*ret))
		return true;
	/* A quote after an odd number of backslashes belongs to the string. */
	for (;;) {
		const char *slash = quote;

		while (slash > from && slash[-1] == '\\')
			slash--;
		if ((quote - slash) % 2 == 0)
			break;
		quote = memchr(quote + 1, '"', (size_t)(cursor->end - quote - 1));
		if (!quote)
			return false;
	}
	ret->len = (size_t)(quote - from);
	cursor->at = quote + 1;
	return !has_control(*ret) && utf8_is_valid(*ret) && json_scan_escapes_are_good(*ret);
}

static size_t put_utf8(char *out, int32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

/* No escape is shorter than its character. */
void json_scan_decode(struct slice *string)
{
	char *from = (char *)(uintptr_t)string->data;
	const char *end = from + string->len;
	char *out = memchr(from, '\\', string->len);

	if (!out)
		return;
	for (const char *at = out; at < end;) {
		if (*at != '\\') {
			*out++ = *at++;
			continue;
		}
		at++;
		if (*at != 'u') {
			*out++ = unescape(*at++);
			continue;
		}
		size_t len = 0;
		int32_t code = read_code_point(at + 1, end, &len);

		out += put_utf8(out, code);
		at += 1 + len;
	}
	string->len = (size_t)(out - from);
}
