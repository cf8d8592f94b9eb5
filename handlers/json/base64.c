#include "handlers/json/base64.h"

#include <nettle/base64.h>

#include "base/value.h"

struct cache_value *base64_value(struct slice text, struct slice content_type,
				 struct cache_headroom headroom, enum base64_outcome *ret)
{
	struct base64_decode_ctx context;
	struct cache_value *value = cache_value_create_with_headroom(BASE64_DECODE_LENGTH(text.len),
								     content_type, headroom);
	size_t len = value ? value->len_bytes : 0;

	*ret = value ? BASE64_GOOD : BASE64_NO_MEMORY;
	if (!value)
		return NULL;
	base64_decode_init(&context);
	/* nettle skips white space; this does not. */
	for (size_t i = 0; i < text.len && *ret == BASE64_GOOD; i++)
		if ((unsigned char)text.data[i] <= ' ')
			*ret = BASE64_BAD;
	if (*ret == BASE64_BAD ||
	    !base64_decode_update(&context, &len, (uint8_t *)cache_value_data(value), text.len,
				  text.data) ||
	    !base64_decode_final(&context)) {
		*ret = BASE64_BAD;
		cache_value_release(value);
		return NULL;
	}
	value->len_bytes = (uint32_t)len;
	cache_value_seal(value);
	return value;
}
