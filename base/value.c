#include "base/value.h"

#include <stdlib.h>

#include "base/utf8.h"

#define TYPE_INLINE 255

/* cache_value.headroom */
#define HEADROOM_UNIT_BYTES 8U
#define HEADROOM_UNITS      0x7FU
#define HEADROOM_CLAIMED    0x80U

/* Types so common that an entry need not store them. Only append: nothing stores the index, but
 * the order decides how fast the first ones are found. */
static const struct slice known_types[] = {
	SLICE(CONTENT_TYPE_TEXT),
	SLICE(CONTENT_TYPE_BYTES),
	SLICE("application/x-www-form-urlencoded"), /* what curl --data-binary sends */
	SLICE("application/json"),
	SLICE("text/plain"),
	SLICE("text/html"),
	SLICE("image/png"),
	SLICE("image/jpeg"),
};
#define KNOWN_TYPES (sizeof(known_types) / sizeof(known_types[0]))

static uint8_t find_known_type(struct slice type)
{
	for (size_t i = 0; i < KNOWN_TYPES; i++)
		if (slice_equal(type, known_types[i]))
			return (uint8_t)i;
	return TYPE_INLINE;
}

struct cache_value *cache_value_create(size_t len_bytes, struct slice head)
{
	return cache_value_create_with_headroom(len_bytes, head, (struct cache_headroom){0});
}

static size_t record_bytes(const struct cache_value *value)
{
	uint8_t headroom = atomic_load_explicit(&value->headroom, memory_order_relaxed);

	return (size_t)(headroom & HEADROOM_UNITS) * HEADROOM_UNIT_BYTES;
}

/* The start of the allocation. */
static char *block_of(struct cache_value *value)
{
	return (char *)value - record_bytes(value);
}

size_t cache_value_memory_bytes(const struct cache_value *value)
{
	return record_bytes(value) + sizeof(*value) + cache_value_data_offset(value) +
	       value->len_bytes;
}

struct cache_value *cache_value_create_with_headroom(size_t len_bytes, struct slice head,
						     struct cache_headroom headroom)
{
	struct slice type = value_head_type(head);

	if (head.len > type.len && !value_head_is_valid(head))
		head = type;
	if (type.len == 0 || type.len > CONTENT_TYPE_MAX_LEN)
		head = type = SLICE(CONTENT_TYPE_BYTES);

	uint8_t known = find_known_type(head);
	size_t headers_len = head.len > type.len ? head.len : 0;
	size_t head_len = known == TYPE_INLINE ? type.len + 1 + headers_len : 0;
	if (len_bytes > CACHE_VALUE_MAX_BYTES || headroom.key_len > UINT32_MAX)
		return NULL;
	struct cache_value header = {
		.refs = 1,
		.len_bytes = (uint32_t)len_bytes,
		.key_len = (uint32_t)headroom.key_len,
		.known_type = known,
		.head_len = (uint16_t)head_len,
		.type_len = (uint16_t)type.len,
		.headroom = (uint8_t)(headroom.record_bytes / HEADROOM_UNIT_BYTES),
	};
	char *block = malloc(cache_value_memory_bytes(&header));
	if (!block)
		return NULL;

	struct cache_value *value = (struct cache_value *)(void *)(block + headroom.record_bytes);
	*value = header;
	if (head_len > 0) {
		char *at = value->storage + value->key_len;

		memcpy(at, type.data, type.len);
		at[type.len] = '\0';
		memcpy(at + type.len + 1, head.data, headers_len);
	}
	return value;
}

bool cache_value_claim_headroom(struct cache_value *value, struct cache_headroom headroom)
{
	if (record_bytes(value) != headroom.record_bytes || value->key_len != headroom.key_len)
		return false;
	return !(
		atomic_fetch_or_explicit(&value->headroom, HEADROOM_CLAIMED, memory_order_relaxed) &
		HEADROOM_CLAIMED);
}

bool cache_value_is_claimed(const struct cache_value *value)
{
	return atomic_load_explicit(&value->headroom, memory_order_relaxed) & HEADROOM_CLAIMED;
}

struct cache_value *cache_value_resize(struct cache_value *value, size_t len_bytes)
{
	size_t before = record_bytes(value);

	if (len_bytes > CACHE_VALUE_MAX_BYTES)
		return NULL;
	char *block = realloc(block_of(value),
			      cache_value_memory_bytes(value) - value->len_bytes + len_bytes);
	if (!block)
		return NULL;
	struct cache_value *grown = (struct cache_value *)(void *)(block + before);
	grown->len_bytes = (uint32_t)len_bytes;
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
	value->flags = flags & CACHE_VALUE_STORED;
}

struct cache_value *cache_value_create_for_body(struct cache_body *body, struct slice head)
{
	struct cache_value *value = cache_value_create(sizeof(body), head);
	struct etag etag;

	if (!value)
		return NULL;
	memcpy(cache_value_data(value), &body, sizeof(body));
	memcpy(etag.bytes, body->sha256, sizeof(etag.bytes));
	cache_value_seal_known(value, &etag, body->flags);
	value->flags |= CACHE_VALUE_BODY;
	return value;
}

struct cache_body *cache_value_body(const struct cache_value *value)
{
	struct cache_body *body = NULL;

	if (value->flags & CACHE_VALUE_BODY)
		memcpy(&body, cache_value_bytes(value).data, sizeof(body));
	return body;
}

uint64_t cache_value_whole_len(const struct cache_value *value)
{
	const struct cache_body *body = cache_value_body(value);

	return body ? body->len_bytes : value->len_bytes;
}

struct cache_value *cache_value_copy(struct slice bytes, struct slice head)
{
	return cache_value_copy_with_headroom(bytes, head, (struct cache_headroom){0});
}

struct cache_value *cache_value_copy_with_headroom(struct slice bytes, struct slice head,
						   struct cache_headroom headroom)
{
	struct cache_value *value = cache_value_create_with_headroom(bytes.len, head, headroom);

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
	if (!value || atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) != 1)
		return;
	cache_body_release(cache_value_body(value));
	free(block_of(value));
}

const char *cache_value_content_type(const struct cache_value *value)
{
	return value->known_type == TYPE_INLINE ? value->storage + value->key_len
						: known_types[value->known_type].data;
}

struct slice cache_value_head(const struct cache_value *value)
{
	const char *storage = value->storage + value->key_len;
	size_t before = (size_t)value->type_len + 1;

	if (value->known_type != TYPE_INLINE)
		return known_types[value->known_type];
	if (value->head_len == before)
		return (struct slice){storage, value->type_len};
	return (struct slice){storage + before, value->head_len - before};
}
