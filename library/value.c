#include "library/value.h"

#include <string.h>

static const struct cache_value *inner(const struct steadycache_value *value)
{
	return (const struct cache_value *)(const void *)value;
}

const void *steadycache_value_data(const struct steadycache_value *value)
{
	return cache_value_bytes(inner(value)).data;
}

size_t steadycache_value_len(const struct steadycache_value *value)
{
	return cache_value_bytes(inner(value)).len;
}

const char *steadycache_value_content_type(const struct steadycache_value *value)
{
	return cache_value_content_type(inner(value));
}

int64_t steadycache_value_stored_at_us(const struct steadycache_value *value)
{
	return inner(value)->modified_at_us;
}

int64_t steadycache_value_expires_at_us(const struct steadycache_value *value)
{
	return inner(value)->expires_at_us;
}

void library_value_format(const struct etag *etag, char ret[STEADYCACHE_ETAG_LEN + 1])
{
	char text[ETAG_TEXT_LEN + 1];

	_Static_assert(ETAG_TEXT_LEN == STEADYCACHE_ETAG_LEN + 2, "digits in two quotes");
	etag_format(etag, text);
	memcpy(ret, text + 1, STEADYCACHE_ETAG_LEN);
	ret[STEADYCACHE_ETAG_LEN] = '\0';
}

void steadycache_value_etag(const struct steadycache_value *value, char *ret)
{
	library_value_format(&inner(value)->etag, ret);
}

struct steadycache_value *steadycache_value_acquire(struct steadycache_value *value)
{
	return library_value_of(cache_value_acquire((struct cache_value *)(void *)value));
}

void steadycache_value_release(struct steadycache_value *value)
{
	cache_value_release((struct cache_value *)(void *)value);
}
