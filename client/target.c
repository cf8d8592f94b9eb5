#include "client/target.h"

#include <ctype.h>
#include <stdint.h>

void target_append(struct buffer *target, struct slice text)
{
	bool dots = slice_equal(text, SLICE(".")) || slice_equal(text, SLICE(".."));

	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x80 &&
		    (isalnum(c) || (c != '\0' && strchr("-_~", c)) || (c == '.' && !dots)))
			buffer_append_char(target, (char)c);
		else
			buffer_printf(target, "%%%02X", c);
	}
}

void target_query(struct buffer *target, const char *name, struct slice value)
{
	if (!value.data)
		return;
	bool is_first = !target->data || !memchr(target->data, '?', target->len);
	buffer_printf(target, "%c%s=", is_first ? '?' : '&', name);
	target_append(target, value);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

bool target_base64(struct slice text, struct buffer *ret)
{
	uint32_t bits = 0;
	unsigned count = 0;

	while (text.len > 0 && text.data[text.len - 1] == '=')
		text.len--;
	for (size_t i = 0; i < text.len; i++) {
		int digit = base64_digit(text.data[i]);

		if (digit < 0)
			return false;
		bits = (bits << 6 | (uint32_t)digit) & 0xffffff;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buffer_append_char(ret, (char)(bits >> count & 0xff));
		}
	}
	return text.len % 4 != 1 && !ret->failed;
}
