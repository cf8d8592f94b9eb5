/* The heads of records: they are read back unchanged, and nothing else is mistaken for one. */
#include <criterion/criterion.h>
#include <xxhash.h>

#include "store/keeper/record.h"

#if UINTPTR_MAX == UINT64_MAX
/* Drivers are built elsewhere: another layout needs another DRIVER_ABI. */
_Static_assert(DRIVER_ABI == 1 && sizeof(enum driver_change_kind) == 4 &&
		       sizeof(struct driver_change) == 8 + 4 * sizeof(struct slice) &&
		       offsetof(struct driver_change, body) == 8 + 3 * sizeof(struct slice) &&
		       sizeof(struct driver_config) == 4 * 8 + 2 * 8 &&
		       offsetof(struct driver_ops, close) == 2 * 4 + 9 * 8 && DRIVER_UNKNOWN == 10,
	       "the ABI of drivers is that of its number");
#endif

static const struct slice ns = SLICE("space");
static const struct slice key = SLICE("a key");

static struct keeper_record entry_record(void)
{
	return (struct keeper_record){
		.kind = RECORD_ENTRY,
		.entry =
			{
				.size_bytes = 123456789012,
				.stamp = UINT64_MAX - 5,
				.last_access_us = 1700000000000001,
				.modified_at_us = 1700000000000002,
				.expires_at_us = 1700000000000003,
				.body_check = 0x1122334455667788,
				.frequency = UINT32_MAX,
				.len_bytes = 77,
				.etag = etag_of(SLICE("value")),
				.flags = CACHE_VALUE_UTF8,
				.type = SLICE("image/png"),
			},
	};
}

static struct slice pack(const struct keeper_record *record, struct slice its_ns,
			 struct slice its_key)
{
	static char bytes[RECORD_HEAD_MAX_BYTES];

	return (struct slice){bytes, keeper_record_pack(record, its_ns, its_key, bytes)};
}

Test(keeper_record, of_an_entry_comes_back)
{
	struct keeper_record record = entry_record();
	struct keeper_record read;
	struct slice head = pack(&record, ns, key);

	cr_assert_eq(keeper_record_unpack(head, ns, key, &read), RECORD_GOOD);
	cr_expect_eq(read.kind, RECORD_ENTRY);
	cr_expect_eq(read.entry.size_bytes, record.entry.size_bytes);
	cr_expect_eq(read.entry.stamp, record.entry.stamp);
	cr_expect_eq(read.entry.last_access_us, record.entry.last_access_us);
	cr_expect_eq(read.entry.modified_at_us, record.entry.modified_at_us);
	cr_expect_eq(read.entry.expires_at_us, record.entry.expires_at_us);
	cr_expect_eq(read.entry.body_check, record.entry.body_check);
	cr_expect_eq(read.entry.frequency, record.entry.frequency);
	cr_expect_eq(read.entry.len_bytes, record.entry.len_bytes);
	cr_expect_eq(read.entry.flags, record.entry.flags);
	cr_expect(etag_equal(&read.entry.etag, &record.entry.etag));
	cr_expect(slice_equal(read.entry.type, record.entry.type));
}

Test(keeper_record, has_room_for_the_longest_type)
{
	static char type[RECORD_TYPE_MAX_LEN];
	struct keeper_record record = entry_record();
	struct keeper_record read;

	memset(type, 't', sizeof(type));
	record.entry.type = (struct slice){type, sizeof(type)};
	struct slice head = pack(&record, ns, key);
	cr_assert_leq(head.len, RECORD_HEAD_MAX_BYTES);
	cr_assert_eq(keeper_record_unpack(head, ns, key, &read), RECORD_GOOD);
	cr_expect(slice_equal(read.entry.type, record.entry.type));
}

/* An older server must refuse these: it would hand out a part of the type as the value's bytes, or
 * compressed bytes. */
Test(keeper_record, whose_type_is_in_the_body_or_whose_value_is_compressed_has_a_later_version)
{
	struct keeper_record record = entry_record();
	struct keeper_record read;

	record.entry.type = (struct slice){0};
	record.entry.body_type_len = 256;
	struct slice head = pack(&record, ns, key);
	cr_expect_eq(head.data[4], 2);
	cr_assert_eq(keeper_record_unpack(head, ns, key, &read), RECORD_GOOD);
	cr_expect_eq(read.entry.body_type_len, 256);
	cr_expect_eq(read.entry.type.len, 0);
	record.entry.body_type_len = VALUE_HEAD_MAX_LEN + 1;
	cr_expect_eq(keeper_record_unpack(pack(&record, ns, key), ns, key, &read), RECORD_DAMAGED);
	record = entry_record();
	head = pack(&record, ns, key);
	cr_expect_eq(head.data[4], 1);
	record.entry.flags = CACHE_VALUE_ZSTD;
	head = pack(&record, ns, key);
	cr_expect_eq(head.data[4], 2);
	cr_assert_eq(keeper_record_unpack(head, ns, key, &read), RECORD_GOOD);
	cr_expect(slice_equal(read.entry.type, record.entry.type));
	cr_expect_eq(read.entry.body_type_len, 0);
}

Test(keeper_record, of_settings_and_clock_come_back)
{
	struct keeper_record settings = {.kind = RECORD_SETTINGS};
	struct keeper_record clock = {.kind = RECORD_CLOCK};
	struct keeper_record read;

	settings.settings.values = (struct namespace_settings){.max_size_bytes = 1,
							       .capacity = CAPACITY_UNLIMITED,
							       .default_ttl_s = 3,
							       .policy = EVICT_NONE,
							       .stale_ttl_s = 5,
							       .max_idle_s = 6,
							       .compression = COMPRESSION_ZSTD,
							       .put_status = 200};
	settings.settings.configured = SETTING_POLICY;
	struct slice first = pack(&settings, SLICE(""), ns);
	cr_expect_eq(first.data[4], 1, "an older program can read it");
	cr_assert_eq(keeper_record_unpack(first, SLICE(""), ns, &read), RECORD_GOOD);
	cr_expect_eq(read.settings.values.max_idle_s, 0, "which nobody has configured");
	settings.settings.configured |= SETTING_MAX_IDLE | SETTING_PUT_STATUS;
	struct slice second = pack(&settings, SLICE(""), ns);
	cr_expect_eq(second.data[4], 2);
	cr_assert_eq(keeper_record_unpack(second, SLICE(""), ns, &read), RECORD_GOOD);
	cr_expect_eq(read.settings.values.max_idle_s, 6);
	cr_expect_eq(read.settings.values.compression, COMPRESSION_ZSTD);
	cr_expect_eq(read.settings.values.put_status, 200);
	cr_expect_eq(read.kind, RECORD_SETTINGS);
	cr_expect_eq(read.settings.values.max_size_bytes, 1);
	cr_expect_eq(read.settings.values.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(read.settings.values.default_ttl_s, 3);
	cr_expect_eq(read.settings.values.policy, EVICT_NONE);
	cr_expect_eq(read.settings.values.stale_ttl_s, 5);
	cr_expect_eq(read.settings.configured, settings.settings.configured);

	clock.clock = (struct order_clock_state){.ahead_us = -1, .since_us = 2, .latest_us = 3};
	cr_assert_eq(keeper_record_unpack(pack(&clock, SLICE(""), RECORD_CLOCK_KEY), SLICE(""),
					  RECORD_CLOCK_KEY, &read),
		     RECORD_GOOD);
	cr_expect_eq(read.clock.ahead_us, -1);
	cr_expect_eq(read.clock.since_us, 2);
	cr_expect_eq(read.clock.latest_us, 3);
}

Test(keeper_record, with_any_bit_changed_is_damaged)
{
	struct keeper_record record = entry_record();
	struct keeper_record read;
	char bytes[RECORD_HEAD_MAX_BYTES];
	size_t len = keeper_record_pack(&record, ns, key, bytes);

	for (size_t bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
		cr_expect_eq(keeper_record_unpack((struct slice){bytes, len}, ns, key, &read),
			     RECORD_DAMAGED, "bit %zu", bit);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
	}
	for (size_t shorter = 0; shorter < len; shorter++)
		cr_expect_eq(keeper_record_unpack((struct slice){bytes, shorter}, ns, key, &read),
			     RECORD_DAMAGED, "%zu bytes", shorter);
	cr_expect_eq(keeper_record_unpack((struct slice){bytes, len}, ns, key, &read), RECORD_GOOD);
}

Test(keeper_record, of_another_name_is_damaged)
{
	struct keeper_record record = entry_record();
	struct keeper_record read;
	struct slice head = pack(&record, ns, key);

	cr_expect_eq(keeper_record_unpack(head, ns, SLICE("a ke"), &read), RECORD_DAMAGED);
	cr_expect_eq(keeper_record_unpack(head, SLICE("spac"), SLICE("ea key"), &read),
		     RECORD_DAMAGED, "the same bytes, parted elsewhere");
	/* An entry has a namespace, the keeper's own records have none. */
	cr_expect_eq(keeper_record_unpack(pack(&record, SLICE(""), key), SLICE(""), key, &read),
		     RECORD_DAMAGED);
	record = (struct keeper_record){.kind = RECORD_SETTINGS};
	cr_expect_eq(keeper_record_unpack(pack(&record, ns, key), ns, key, &read), RECORD_DAMAGED);
	record.kind = (enum keeper_record_kind)'X';
	cr_expect_eq(keeper_record_unpack(pack(&record, ns, key), ns, key, &read), RECORD_DAMAGED);
}

/* Updates the checksum to match the bytes, as record.h says. */
static void check_anew(char *bytes, size_t len)
{
	XXH64_hash_t seed = XXH3_64bits(ns.data, ns.len);

	seed = XXH3_64bits_withSeed(key.data, key.len, seed);
	uint32_t check = (uint32_t)XXH3_64bits_withSeed(bytes + 4, len - 4, seed);
	memcpy(bytes, &check, sizeof(check));
}

Test(keeper_record, of_a_later_version_is_known_as_such)
{
	struct keeper_record record = entry_record();
	struct keeper_record read;
	char bytes[RECORD_HEAD_MAX_BYTES];
	size_t len = keeper_record_pack(&record, ns, key, bytes);

	check_anew(bytes, len);
	cr_assert_eq(keeper_record_unpack((struct slice){bytes, len}, ns, key, &read), RECORD_GOOD);
	bytes[4] = 3;
	check_anew(bytes, len);
	cr_expect_eq(keeper_record_unpack((struct slice){bytes, len}, ns, key, &read),
		     RECORD_LATER);
}
