#include "backends/redis/value.h"

#include <endian.h>

#define VALUE_MIN_LEN 42
/* Bits of byte 40 beside enum cache_value_flags (script/10_model.lua). */
#define LATER_FORM      0x20
#define LATER_REFERENCE 0x40
#define FIRST_FORM_MAX  UINT8_MAX /* bytes of a head */
#define HEAD_LEN        58
/* As NEAR_US in script/40_writes.lua. */
#define NEAR_US INT64_C(100000)

static int64_t read_i64(const char *at)
{
	uint64_t number;

	memcpy(&number, at, sizeof(number));
	return (int64_t)le64toh(number);
}

/* A big-endian number of `len` bytes. */
static uint64_t read_big(const char *at, size_t len)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++)
		number = number << 8 | (uint8_t)at[i];
	return number;
}

static void write_i64(int64_t number, char *at)
{
	uint64_t bytes = htole64((uint64_t)number);

	memcpy(at, &bytes, sizeof(bytes));
}

/* Where the head of a value begins, and how long it is. */
static bool find_head(struct slice text, size_t *ret_at, size_t *ret_len)
{
	if (text.len < VALUE_MIN_LEN)
		return false;
	*ret_at = VALUE_MIN_LEN;
	*ret_len = (uint8_t)text.data[41];
	if ((uint8_t)text.data[40] & LATER_FORM) {
		uint16_t len;

		if (text.len < VALUE_MIN_LEN + sizeof(len))
			return false;
		memcpy(&len, text.data + VALUE_MIN_LEN, sizeof(len));
		*ret_at += sizeof(len);
		*ret_len = le16toh(len);
	}
	return text.len >= *ret_at + *ret_len &&
	       text.len - *ret_at - *ret_len <= CACHE_VALUE_MAX_BYTES;
}

static uint8_t read_flags(uint8_t told)
{
	if (!(told & LATER_FORM))
		return told;
	return (uint8_t)((told & ~CACHE_VALUE_REFERENCE) |
			 (told & LATER_REFERENCE ? CACHE_VALUE_REFERENCE : 0));
}

bool redis_value_read(struct slice text, struct redis_value *ret)
{
	size_t at, head_len;

	if (!find_head(text, &at, &head_len))
		return false;
	*ret = (struct redis_value){
		.modified_at_us = read_i64(text.data),
		.expires_at_us = read_i64(text.data + 8),
		.flags = read_flags((uint8_t)text.data[40]),
		.head = {.data = text.data + at, .len = head_len},
		.bytes = {.data = text.data + at + head_len, .len = text.len - at - head_len},
	};
	memcpy(ret->etag.bytes, text.data + 24, sizeof(ret->etag.bytes));
	return true;
}

struct cache_value *redis_value_copy(const struct redis_value *value)
{
	struct cache_value *copy = cache_value_create(value->bytes.len, value->head);

	if (!copy)
		return NULL;
	if (value->bytes.len > 0)
		memcpy(cache_value_data(copy), value->bytes.data, value->bytes.len);
	cache_value_seal_known(copy, &value->etag, value->flags);
	copy->modified_at_us = value->modified_at_us;
	copy->expires_at_us = value->expires_at_us;
	return copy;
}

size_t redis_value_write_header(const struct cache_value *value, const struct redis_times *times,
				int64_t size_bytes, char out[static REDIS_HEADER_MAX_LEN])
{
	struct slice head = cache_value_head(value);

	write_i64(times->modified_at_us, out);
	write_i64(times->expires_at_us, out + 8);
	write_i64(size_bytes, out + 16);
	memcpy(out + 24, value->etag.bytes, sizeof(value->etag.bytes));
	out[40] = (char)value->flags;
	out[41] = (char)(uint8_t)head.len;
	size_t len = VALUE_MIN_LEN;
	if (head.len > FIRST_FORM_MAX || (value->flags & CACHE_VALUE_ZSTD)) {
		uint16_t head_len = htole16((uint16_t)head.len);
		unsigned later = value->flags & CACHE_VALUE_REFERENCE ? LATER_REFERENCE : 0;

		out[40] = (char)(value->flags | later | LATER_FORM | CACHE_VALUE_REFERENCE);
		out[41] = 0;
		memcpy(out + len, &head_len, sizeof(head_len));
		len += sizeof(head_len);
	}
	memcpy(out + len, head.data, head.len);
	return len + head.len;
}

int64_t redis_value_moment_us(int64_t told_us, int64_t now_us)
{
	return told_us >= now_us - NEAR_US && told_us <= now_us + NEAR_US ? told_us : now_us;
}

bool redis_value_read_head(struct slice text, struct redis_head *ret)
{
	if (text.len != HEAD_LEN)
		return false;
	*ret = (struct redis_head){
		.frequency = (uint32_t)read_big(text.data, 4),
		.last_access_us = (int64_t)read_big(text.data + 4, 7),
		.created_at_us = (int64_t)read_big(text.data + 11, 7),
		.expires_at_us = read_i64(text.data + 18),
		.size_bytes = (uint64_t)read_i64(text.data + 34),
	};
	memcpy(ret->etag.bytes, text.data + 42, sizeof(ret->etag.bytes));
	return true;
}
