/* The entity tag of a value: the first 128 bits of the SHA-256 of its bytes.
 *
 * It depends on the content only, so it is the same on every backend and after a restart, and
 * anything that has SHA-256 can compute it (our Cloudflare Worker has it built in). The hash is
 * cryptographic, because If-Match relies on it to tell values apart. */
#ifndef STEADYCACHE_BASE_ETAG_H
#define STEADYCACHE_BASE_ETAG_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct etag {
	uint8_t bytes[16];
};

/* Characters of the text form, including the two quotes, without a final NUL. */
#define ETAG_TEXT_LEN 34

struct etag etag_of(struct slice content);

static inline bool etag_equal(const struct etag *a, const struct etag *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Writes `"` 32 hex digits `"` and a NUL. */
void etag_format(const struct etag *etag, char text[static ETAG_TEXT_LEN + 1]);

/* Reads the text form, including the quotes. False (and *ret untouched) if `text` is not an
 * entity tag that this server could have made. */
bool etag_parse(struct slice text, struct etag *ret);

#endif
