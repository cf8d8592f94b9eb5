#include "base/etag.h"

#include <nettle/sha2.h>

#include "base/hex.h"

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
	text[0] = text[ETAG_TEXT_LEN - 1] = '"';
	hex_write(etag->bytes, sizeof(etag->bytes), text + 1);
	text[ETAG_TEXT_LEN] = '\0';
}

bool etag_parse(struct slice text, struct etag *ret)
{
	struct etag etag;

	if (text.len != ETAG_TEXT_LEN || text.data[0] != '"' ||
	    text.data[ETAG_TEXT_LEN - 1] != '"' ||
	    !hex_read(text.data + 1, etag.bytes, sizeof(etag.bytes)))
		return false;
	*ret = etag;
	return true;
}
