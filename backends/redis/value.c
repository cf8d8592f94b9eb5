#include "backends/redis/value.h"

#include <endian.h>

#define VALUE_MIN_LEN 42
#define HEAD_LEN      60

static int64_t read_i64(const char *at)
{
	uint64_t number;

	memcpy(&number, at, sizeof(number));
	return (int64_t)le64toh(number);
}

static uint32_t read_u32(const char *at)
{
	uint32_t number;

	memcpy(&number, at, sizeof(number));
	return le32toh(number);
}

bool redis_value_read(struct slice text, struct redis_value *ret)
{
	if (text.len < VALUE_MIN_LEN)
		return false;
	size_t type_len = (uint8_t)text.data[41];
	if (text.len < VALUE_MIN_LEN + type_len ||
	    text.len - VALUE_MIN_LEN - type_len > CACHE_VALUE_MAX_BYTES)
		return false;
	*ret = (struct redis_value){
		.modified_at_us = read_i64(text.data),
		.expires_at_us = read_i64(text.data + 8),
		.flags = (uint8_t)text.data[40],
		.type = {.data = text.data + VALUE_MIN_LEN, .len = type_len},
		.bytes = {.data = text.data + VALUE_MIN_LEN + type_len,
			  .len = text.len - VALUE_MIN_LEN - type_len},
	};
	memcpy(ret->etag.bytes, text.data + 24, sizeof(ret->etag.bytes));
	return true;
}

struct cache_value *redis_value_copy(const struct redis_value *value)
{
	struct cache_value *copy = cache_value_create(value->bytes.len, value->type);

	if (!copy)
		return NULL;
	if (value->bytes.len > 0)
		memcpy(cache_value_data(copy), value->bytes.data, value->bytes.len);
	cache_value_seal_known(copy, &value->etag, value->flags);
	copy->modified_at_us = value->modified_at_us;
	copy->expires_at_us = value->expires_at_us;
	return copy;
}

size_t redis_value_write_static(const struct cache_value *value,
				char out[static REDIS_STATIC_MAX_LEN])
{
	size_t type_len = cache_value_content_type_len(value);

	memcpy(out, value->etag.bytes, sizeof(value->etag.bytes));
	out[16] = (char)value->flags;
	out[17] = (char)(uint8_t)type_len;
	memcpy(out + 18, cache_value_content_type(value), type_len);
	return 18 + type_len;
}

bool redis_value_read_head(struct slice text, struct redis_head *ret)
{
	if (text.len != HEAD_LEN)
		return false;
	*ret = (struct redis_head){
		.frequency = read_u32(text.data),
		.last_access_us = read_i64(text.data + 4),
		.created_at_us = read_i64(text.data + 12),
		.expires_at_us = read_i64(text.data + 20),
		.size_bytes = (uint64_t)read_i64(text.data + 36),
	};
	memcpy(ret->etag.bytes, text.data + 44, sizeof(ret->etag.bytes));
	return true;
}
