#include "backends/base/value.h"

#include <stdlib.h>

#include "backends/base/utf8.h"

#define TYPE_INLINE 255

/* Types so common that an entry need not carry them. Only ever append: nothing stores the
 * index, but the order decides how fast the first ones are found. */
static const char *const known_types[] = {
	CONTENT_TYPE_TEXT,
	CONTENT_TYPE_BYTES,
	"application/x-www-form-urlencoded", /* what curl --data-binary sends */
	"application/json",
	"text/plain",
	"text/html",
	"image/png",
	"image/jpeg",
};
#define KNOWN_TYPES (sizeof(known_types) / sizeof(known_types[0]))

static uint8_t find_known_type(struct slice type)
{
	for (size_t i = 0; i < KNOWN_TYPES; i++)
		if (slice_equal(type, slice_of(known_types[i])))
			return (uint8_t)i;
	return TYPE_INLINE;
}

struct cache_value *cache_value_create(size_t len_bytes, struct slice content_type)
{
	if (content_type.len == 0 || content_type.len > CONTENT_TYPE_MAX_LEN)
		content_type = SLICE(CONTENT_TYPE_BYTES);

	uint8_t known = find_known_type(content_type);
	size_t type_bytes = known == TYPE_INLINE ? content_type.len + 1 : 0;
	if (len_bytes > SIZE_MAX / 2)
		return NULL;
	struct cache_value *value = malloc(sizeof(*value) + type_bytes + len_bytes);
	if (!value)
		return NULL;

	*value = (struct cache_value){
		.refs = 1,
		.known_type = known,
		.data_offset = (uint16_t)type_bytes,
		.len_bytes = len_bytes,
	};
	if (type_bytes > 0) {
		memcpy(value->storage, content_type.data, content_type.len);
		value->storage[content_type.len] = '\0';
	}
	return value;
}

struct cache_value *cache_value_resize(struct cache_value *value, size_t len_bytes)
{
	if (len_bytes > SIZE_MAX / 2)
		return NULL;
	struct cache_value *grown = realloc(value, sizeof(*value) + value->data_offset + len_bytes);
	if (grown)
		grown->len_bytes = len_bytes;
	return grown;
}

void cache_value_seal(struct cache_value *value)
{
	struct slice bytes = cache_value_bytes(value);
	struct etag etag = etag_of(bytes);
	uint8_t flags = 0;

	if (utf8_is_json_plain(bytes))
		flags = CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN;
	else if (utf8_is_valid(bytes))
		flags = CACHE_VALUE_UTF8;
	cache_value_seal_known(value, &etag, flags);
}

void cache_value_seal_known(struct cache_value *value, const struct etag *etag, uint8_t flags)
{
	value->etag = *etag;
	value->flags = flags;
}

struct cache_value *cache_value_copy(struct slice bytes, struct slice content_type)
{
	struct cache_value *value = cache_value_create(bytes.len, content_type);

	if (!value)
		return NULL;
	if (bytes.len > 0)
		memcpy(cache_value_data(value), bytes.data, bytes.len);
	cache_value_seal(value);
	return value;
}

struct cache_value *cache_value_acquire(struct cache_value *value)
{
	(void)atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
	return value;
}

void cache_value_release(struct cache_value *value)
{
	if (!value)
		return;
	if (atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) == 1)
		free(value);
}

const char *cache_value_content_type(const struct cache_value *value)
{
	return value->known_type == TYPE_INLINE ? value->storage : known_types[value->known_type];
}
