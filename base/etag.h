/* The entity tag of a value: the first 128 bits of the SHA-256 of its bytes.
 *
 * From the content alone, so equal on every backend and after a restart, and
 * computable by anything that has SHA-256 (our Cloudflare Worker has it built in).
 * A cryptographic hash, because If-Match trusts it not to mix up two values. */
#ifndef STEADYCACHE_BASE_ETAG_H
#define STEADYCACHE_BASE_ETAG_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct etag {
	uint8_t bytes[16];
};

/* Characters of the text form, the two quotes included, without a final NUL. */
#define ETAG_TEXT_LEN 34

struct etag etag_of(struct slice content);

static inline bool etag_equal(const struct etag *a, const struct etag *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Writes `"` 32 hex digits `"` and a NUL. */
void etag_format(const struct etag *etag, char text[static ETAG_TEXT_LEN + 1]);

/* Reads the text form, quotes included. False (and *ret untouched) where `text`
 * is not an entity tag that this server could have made. */
bool etag_parse(struct slice text, struct etag *ret);

#endif
