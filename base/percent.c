#include "base/percent.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(struct slice raw, char *out, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		if (raw.data[i] != '%') {
			out[len++] = raw.data[i];
			continue;
		}
		int high = i + 2 < raw.len ? hex_digit(raw.data[i + 1]) : -1;
		int low = i + 2 < raw.len ? hex_digit(raw.data[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		out[len++] = (char)(high << 4 | low);
		i += 2;
	}
	*ret_len = len;
	return true;
}
