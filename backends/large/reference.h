/* What a backend keeps of a large value: a small value that names the object, with flags, ETag and
 * content type of the bytes. As bytes it is plain text: 64 hexadecimal digits of the SHA-256, a
 * blank, and the length. */
#ifndef STEADYCACHE_LARGE_REFERENCE_H
#define STEADYCACHE_LARGE_REFERENCE_H

#include "base/value.h"

struct reference {
	uint8_t sha256[SHA256_BYTES];
	uint64_t len_bytes;
};

/* A reference to the bytes of `whole`, which are those of `body`. NULL: out of memory. */
struct cache_value *reference_create(const struct cache_value *whole, const struct cache_body *body,
				     struct cache_headroom headroom);

static inline bool reference_is(const struct cache_value *value)
{
	return value->flags & CACHE_VALUE_REFERENCE;
}

/* Reads what reference_create made. False: it is damaged. */
bool reference_read(const struct cache_value *value, struct reference *ret);

/* The flags of the bytes. */
static inline uint8_t reference_flags(const struct cache_value *value)
{
	return value->flags & (CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN);
}

#endif
