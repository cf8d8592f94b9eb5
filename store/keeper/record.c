#include "store/keeper/record.h"

#include <endian.h>
#include <stddef.h>
#include <xxhash.h>

/* A record is of the lowest version that can tell all of it, so that a program that knows no later
 * one goes on with a store that has nothing new, and refuses what it would take for another. */
#define VERSION       1
#define VERSION_LATER 2

/* The layout in the bytes. Members of several bytes are little-endian. */
struct prelude {
	uint32_t check;
	uint8_t version, kind, flags, type_len;
};

struct packed_entry {
	uint64_t size_bytes, stamp, last_access_us, modified_at_us, expires_at_us, body_check;
	uint32_t frequency, len_bytes;
	uint8_t etag[16];
};

struct packed_settings {
	uint64_t configured, max_size_bytes, capacity, default_ttl_s, policy, stale_ttl_s;
	uint64_t max_idle_s, compression, put_status; /* from version 2 on */
};
#define SETTINGS_1_BYTES offsetof(struct packed_settings, max_idle_s)
#define SETTINGS_2       (SETTING_MAX_IDLE | SETTING_COMPRESSION | SETTING_PUT_STATUS)

struct packed_clock {
	uint64_t ahead_us, since_us, latest_us;
};

_Static_assert(sizeof(struct prelude) == 8, "the numbers begin at 8");
_Static_assert(sizeof(struct prelude) + sizeof(struct packed_entry) + sizeof(uint16_t) ==
		       RECORD_NUMBERS_BYTES,
	       "the type, or its length, follows the numbers");
_Static_assert(sizeof(struct packed_settings) <= sizeof(struct packed_entry) &&
		       sizeof(struct packed_clock) < sizeof(struct packed_entry),
	       "entries have the most numbers");
_Static_assert(RECORD_HEAD_MAX_BYTES <= DRIVER_HEAD_MAX_BYTES, "drivers take such heads");

static uint32_t check_of(struct slice ns, struct slice key, const char *head, size_t len)
{
	XXH64_hash_t seed = XXH3_64bits(ns.data, ns.len);

	seed = XXH3_64bits_withSeed(key.data, key.len, seed);
	return (uint32_t)XXH3_64bits_withSeed(head + sizeof(uint32_t), len - sizeof(uint32_t),
					      seed);
}

uint64_t keeper_record_check_body(struct slice body)
{
	return XXH3_64bits(body.data, body.len);
}

/* ---- Writing ---- */

static size_t pack_entry(const struct keeper_record *record, char *ret)
{
	struct packed_entry packed = {
		.size_bytes = htole64(record->entry.size_bytes),
		.stamp = htole64(record->entry.stamp),
		.last_access_us = htole64((uint64_t)record->entry.last_access_us),
		.modified_at_us = htole64((uint64_t)record->entry.modified_at_us),
		.expires_at_us = htole64((uint64_t)record->entry.expires_at_us),
		.body_check = htole64(record->entry.body_check),
		.frequency = htole32(record->entry.frequency),
		.len_bytes = htole32(record->entry.len_bytes),
	};
	struct slice type = record->entry.type;
	uint16_t body_type_len = htole16(record->entry.body_type_len);

	if (body_type_len != 0)
		type = (struct slice){(const char *)&body_type_len, sizeof(body_type_len)};
	memcpy(packed.etag, record->entry.etag.bytes, sizeof(packed.etag));
	memcpy(ret, &packed, sizeof(packed));
	memcpy(ret + sizeof(packed), type.data, type.len);
	return sizeof(packed) + type.len;
}

static uint8_t version_of(const struct keeper_record *record)
{
	bool is_later = record->kind == RECORD_SETTINGS
				? (record->settings.configured & SETTINGS_2) != 0
				: record->kind == RECORD_ENTRY &&
					  (record->entry.body_type_len > 0 ||
					   (record->entry.flags & CACHE_VALUE_ZSTD));

	return is_later ? VERSION_LATER : VERSION;
}

static size_t pack_settings(const struct keeper_record *record, char *ret)
{
	const struct namespace_settings *values = &record->settings.values;
	struct packed_settings packed = {
		.configured = htole64(record->settings.configured),
		.max_size_bytes = htole64(values->max_size_bytes),
		.capacity = htole64((uint64_t)values->capacity),
		.default_ttl_s = htole64((uint64_t)values->default_ttl_s),
		.policy = htole64((uint64_t)values->policy),
		.stale_ttl_s = htole64((uint64_t)values->stale_ttl_s),
		.max_idle_s = htole64((uint64_t)values->max_idle_s),
		.compression = htole64((uint64_t)values->compression),
		.put_status = htole64(values->put_status),
	};
	size_t len = version_of(record) == 1 ? SETTINGS_1_BYTES : sizeof(packed);

	memcpy(ret, &packed, len);
	return len;
}

static size_t pack_clock(const struct keeper_record *record, char *ret)
{
	struct packed_clock packed = {
		.ahead_us = htole64((uint64_t)record->clock.ahead_us),
		.since_us = htole64((uint64_t)record->clock.since_us),
		.latest_us = htole64((uint64_t)record->clock.latest_us),
	};

	memcpy(ret, &packed, sizeof(packed));
	return sizeof(packed);
}

size_t keeper_record_pack(const struct keeper_record *record, struct slice ns, struct slice key,
			  char ret[static RECORD_NUMBERS_BYTES])
{
	struct prelude prelude = {.version = version_of(record), .kind = (uint8_t)record->kind};
	size_t len = sizeof(prelude);

	if (record->kind == RECORD_ENTRY) {
		prelude.flags = record->entry.flags;
		if (record->entry.body_type_len == 0)
			prelude.type_len = (uint8_t)record->entry.type.len;
		len += pack_entry(record, ret + len);
	} else {
		len += record->kind == RECORD_SETTINGS ? pack_settings(record, ret + len)
						       : pack_clock(record, ret + len);
	}
	memcpy(ret, &prelude, sizeof(prelude));
	prelude.check = htole32(check_of(ns, key, ret, len));
	memcpy(ret, &prelude.check, sizeof(prelude.check));
	return len;
}

/* ---- Reading ---- */

static bool unpack_entry(struct slice body, const struct prelude *prelude,
			 struct keeper_record *ret)
{
	struct packed_entry packed;
	uint16_t body_type_len = 0;
	size_t rest_len = body.len - sizeof(packed);

	if (body.len < sizeof(packed))
		return false;
	if (prelude->version == VERSION_LATER && prelude->type_len == 0 &&
	    rest_len == sizeof(body_type_len)) {
		memcpy(&body_type_len, body.data + sizeof(packed), sizeof(body_type_len));
		body_type_len = le16toh(body_type_len);
	} else if (rest_len != prelude->type_len) {
		return false;
	}
	memcpy(&packed, body.data, sizeof(packed));
	ret->entry.size_bytes = le64toh(packed.size_bytes);
	ret->entry.stamp = le64toh(packed.stamp);
	ret->entry.last_access_us = (int64_t)le64toh(packed.last_access_us);
	ret->entry.modified_at_us = (int64_t)le64toh(packed.modified_at_us);
	ret->entry.expires_at_us = (int64_t)le64toh(packed.expires_at_us);
	ret->entry.body_check = le64toh(packed.body_check);
	ret->entry.frequency = le32toh(packed.frequency);
	ret->entry.len_bytes = le32toh(packed.len_bytes);
	memcpy(ret->entry.etag.bytes, packed.etag, sizeof(packed.etag));
	ret->entry.flags = prelude->flags;
	ret->entry.type = (struct slice){body.data + sizeof(packed), prelude->type_len};
	ret->entry.body_type_len = body_type_len;
	return ret->entry.frequency > 0 && body_type_len <= VALUE_HEAD_MAX_LEN;
}

static bool unpack_settings(struct slice body, unsigned version, struct keeper_record *ret)
{
	struct packed_settings packed = {0};

	if (body.len != (version == 1 ? SETTINGS_1_BYTES : sizeof(packed)))
		return false;
	memcpy(&packed, body.data, body.len);
	ret->settings.configured = (unsigned)le64toh(packed.configured);
	ret->settings.values = (struct namespace_settings){
		.max_size_bytes = le64toh(packed.max_size_bytes),
		.capacity = (int64_t)le64toh(packed.capacity),
		.default_ttl_s = (int64_t)le64toh(packed.default_ttl_s),
		.policy = (enum eviction_policy)le64toh(packed.policy),
		.max_idle_s = (int64_t)le64toh(packed.max_idle_s),
		.stale_ttl_s = (int64_t)le64toh(packed.stale_ttl_s),
		.compression = (enum compression)le64toh(packed.compression),
		.put_status = (unsigned)le64toh(packed.put_status),
	};
	return le64toh(packed.policy) <= EVICT_NONE &&
	       le64toh(packed.compression) <= COMPRESSION_ZSTD;
}

static bool unpack_clock(struct slice body, struct keeper_record *ret)
{
	struct packed_clock packed;

	if (body.len != sizeof(packed))
		return false;
	memcpy(&packed, body.data, sizeof(packed));
	ret->clock = (struct order_clock_state){
		.ahead_us = (int64_t)le64toh(packed.ahead_us),
		.since_us = (int64_t)le64toh(packed.since_us),
		.latest_us = (int64_t)le64toh(packed.latest_us),
	};
	return true;
}

enum keeper_record_verdict keeper_record_unpack(struct slice head, struct slice ns,
						struct slice key, struct keeper_record *ret)
{
	struct prelude prelude;
	bool good = false;

	if (head.len < sizeof(prelude))
		return RECORD_DAMAGED;
	memcpy(&prelude, head.data, sizeof(prelude));
	if (le32toh(prelude.check) != check_of(ns, key, head.data, head.len))
		return RECORD_DAMAGED;
	if (prelude.version > VERSION_LATER)
		return RECORD_LATER;
	struct slice body = {head.data + sizeof(prelude), head.len - sizeof(prelude)};
	ret->kind = (enum keeper_record_kind)prelude.kind;
	/* The keeper's own records have no namespace, and all others have one. */
	if (prelude.kind == RECORD_ENTRY)
		good = ns.len > 0 && unpack_entry(body, &prelude, ret);
	else if (prelude.kind == RECORD_SETTINGS)
		good = ns.len == 0 && namespace_name_is_valid(key) &&
		       unpack_settings(body, prelude.version, ret);
	else if (prelude.kind == RECORD_CLOCK)
		good = ns.len == 0 && unpack_clock(body, ret);
	return good ? RECORD_GOOD : RECORD_DAMAGED;
}
