#include "backends/large/reference.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define HASH_LEN (2 * (size_t)SHA256_BYTES)
/* Digits of a length. */
#define LEN_DIGITS_MAX 19

struct cache_value *reference_create(const struct cache_value *whole, const struct cache_body *body,
				     struct cache_headroom headroom)
{
	char text[HASH_LEN + 1 + 20 + 1];

	hex_write(body->sha256, SHA256_BYTES, text);
	int len = snprintf(text + HASH_LEN, sizeof(text) - HASH_LEN, " %" PRIu64, body->len_bytes);
	struct cache_value *value = cache_value_create_with_headroom(
		HASH_LEN + (size_t)len, cache_value_head(whole), headroom);
	if (!value)
		return NULL;
	memcpy(cache_value_data(value), text, HASH_LEN + (size_t)len);
	cache_value_seal_known(value, &whole->etag, reference_flags(whole) | CACHE_VALUE_REFERENCE);
	return value;
}

bool reference_read(const struct cache_value *value, struct reference *ret)
{
	struct slice text = cache_value_bytes(value);
	uint64_t len_bytes = 0;

	if (text.len < HASH_LEN + 2 || text.len > HASH_LEN + 1 + LEN_DIGITS_MAX ||
	    !hex_read(text.data, ret->sha256, SHA256_BYTES) || text.data[HASH_LEN] != ' ' ||
	    memcmp(ret->sha256, value->etag.bytes, sizeof(value->etag.bytes)) != 0)
		return false;
	for (size_t i = HASH_LEN + 1; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		len_bytes = len_bytes * 10 + (uint64_t)(text.data[i] - '0');
	}
	ret->len_bytes = len_bytes;
	return true;
}
