#include "base/etag.h"

#include <nettle/sha2.h>

struct etag etag_of(struct slice content)
{
	struct sha256_ctx sha;
	struct etag etag;

	sha256_init(&sha);
	sha256_update(&sha, content.len, (const uint8_t *)content.data);
	sha256_digest(&sha, sizeof(etag.bytes), etag.bytes);
	return etag;
}

void etag_format(const struct etag *etag, char text[static ETAG_TEXT_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	char *out = text;

	*out++ = '"';
	for (size_t i = 0; i < sizeof(etag->bytes); i++) {
		*out++ = digits[etag->bytes[i] >> 4];
		*out++ = digits[etag->bytes[i] & 15];
	}
	*out++ = '"';
	*out = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool etag_parse(struct slice text, struct etag *ret)
{
	struct etag etag;

	if (text.len != ETAG_TEXT_LEN || text.data[0] != '"' || text.data[ETAG_TEXT_LEN - 1] != '"')
		return false;
	for (size_t i = 0; i < sizeof(etag.bytes); i++) {
		int high = hex_digit(text.data[1 + 2 * i]);
		int low = hex_digit(text.data[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		etag.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret = etag;
	return true;
}
