/* Partitions of namespaces: their slots, their shares of limits, the order of their housekeeping.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "backends/redis/due.h"
#include "backends/redis/share.h"
#include "backends/redis/slot.h"
#include "backends/redis/space.h"

/* The CRC's check value, and what CLUSTER KEYSLOT of Redis 7.0 says. */
Test(redis_slot, is_that_of_the_cluster)
{
	cr_expect_eq(redis_slot_of(SLICE("123456789")), 0x31C3 % REDIS_SLOTS);
	cr_expect_eq(redis_slot_of(SLICE("")), 0);
	cr_expect_eq(redis_slot_of(SLICE("foo")), 12182);
	cr_expect_eq(redis_slot_of(SLICE("bar")), 5061);
	cr_expect_eq(redis_slot_of(SLICE("somekey")), 11058);
	cr_expect_eq(redis_slot_of(SLICE("steadycache:namespaces")), 647);
	cr_expect_eq(redis_slot_of(SLICE("\xff\x00\x80z")), 4070);
}

static void expect_slots_of(struct slice name, unsigned count)
{
	unsigned slot = 0, end = 0;

	for (unsigned i = 0; i < count; i++) {
		char tag[100];
		unsigned number = redis_slot_pick(name, i, count, &slot);
		int len = snprintf(tag, sizeof(tag), "%.*s:%u.%u", (int)name.len, name.data, i,
				   number);

		cr_assert_eq(redis_slot_of((struct slice){.data = tag, .len = (size_t)len}), slot);
		cr_assert_eq(redis_slot_begin(i, count), end);
		end = redis_slot_begin(i + 1, count);
		cr_assert(slot >= redis_slot_begin(i, count) && slot < end,
			  "partition %u of %u has slot %u", i, count, slot);
	}
	cr_expect_eq(end, REDIS_SLOTS);
}

Test(redis_slot, of_each_partition_lies_in_its_range)
{
	for (unsigned count = 1; count <= 1024; count = count * 5 / 3 + 1) {
		expect_slots_of(SLICE("a"), count);
		expect_slots_of(
			SLICE("a-name-of-64-bytes-which-is-the-longest-that-a-namespace-has.."),
			count);
	}
	expect_slots_of(SLICE("generation_cache"), 1024);
}

/* A stored number: what it says is where the data are. */
Test(redis_slot, of_a_partition_never_changes)
{
	unsigned slot;

	cr_expect_eq(redis_slot_pick(SLICE("models"), 0, 1, &slot), 0);
	cr_expect_eq(slot, redis_slot_of(SLICE("models:0.0")));
	cr_expect_eq(redis_slot_pick(SLICE("models"), 3, 16, &slot), 40);
	cr_expect_eq(slot, 3320);
	cr_expect_eq(redis_slot_part_of(SLICE("a key"), 16), 14);
	cr_expect_eq(redis_slot_part_of(SLICE(""), 16), 2);
	cr_expect_eq(redis_slot_part_of(SLICE("a key"), 1), 0);
}

Test(redis_slot, keys_spread_evenly_over_partitions)
{
	unsigned counts[16] = {0};

	for (unsigned i = 0; i < 16000; i++) {
		char key[32];
		int len = snprintf(key, sizeof(key), "key-%u", i);

		counts[redis_slot_part_of((struct slice){.data = key, .len = (size_t)len}, 16)]++;
	}
	for (unsigned i = 0; i < 16; i++)
		cr_expect(counts[i] > 850 && counts[i] < 1150, "%u keys in %u", counts[i], i);
}

Test(redis_share, together_they_are_the_limit)
{
	static const uint64_t limits[] = {
		0, 1, 15, 16, 17, 1000, 104857600, 999999999999989, UINT64_MAX};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		for (unsigned count = 1; count <= 1024; count = count * 3 / 2 + 1) {
			uint64_t sum = 0, least = UINT64_MAX, most = 0;

			for (unsigned part = 0; part < count; part++) {
				uint64_t share = redis_share_of(limits[i], part, count);

				sum += share;
				least = share < least ? share : least;
				most = share > most ? share : most;
			}
			cr_expect_eq(sum, limits[i]);
			cr_expect(most - least <= 1);
		}
}

Test(redis_share, of_no_limit_is_none)
{
	struct namespace_settings settings = {.capacity = CAPACITY_UNLIMITED};

	redis_share_out(&settings, 3, 16);
	cr_expect_eq(settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(settings.max_size_bytes, 0);
	settings = (struct namespace_settings){.capacity = 0, .max_size_bytes = 160000};
	redis_share_out(&settings, 3, 16);
	cr_expect_eq(settings.capacity, 0);
	cr_expect_eq(settings.max_size_bytes, 10000);
}

Test(redis_share, must_be_of_use)
{
	cr_expect(redis_share_has_capacity(CAPACITY_UNLIMITED, 16));
	cr_expect(redis_share_has_capacity(0, 16));
	cr_expect_not(redis_share_has_capacity(1, 16));
	cr_expect_not(redis_share_has_capacity(15, 16));
	cr_expect(redis_share_has_capacity(16, 16));
	cr_expect(redis_share_has_capacity(1, 1));
	cr_expect(redis_share_has_size(0, 16));
	cr_expect(redis_share_has_size(1, 1));
	cr_expect_not(redis_share_has_size(16 * REDIS_SHARE_MIN_BYTES - 1, 16));
	cr_expect(redis_share_has_size(16 * REDIS_SHARE_MIN_BYTES, 16));
}

Test(redis_due, comes_in_the_order_of_time)
{
	enum { COUNT = 200 };
	static struct redis_part parts[COUNT];
	struct redis_due due = {0};
	unsigned random = 1, left = 0;

	for (unsigned i = 0; i < 3 * COUNT; i++) {
		random = random * 1103515245 + 12345;
		redis_due_put(&due, &parts[random / 65536 % COUNT], random / 256 % 1000);
	}
	for (unsigned i = 0; i < COUNT; i += 3)
		redis_due_remove(&due, &parts[i]);
	for (unsigned i = 0; i < COUNT; i++) {
		cr_expect(i % 3 > 0 || parts[i].due_place == 0);
		left += parts[i].due_place > 0;
	}
	cr_expect_eq(due.count, left);
	for (int64_t last = 0; redis_due_first(&due); left--) {
		struct redis_part *first = redis_due_first(&due);

		cr_expect_geq(first->due_us, last);
		last = first->due_us;
		redis_due_remove(&due, first);
	}
	cr_expect_eq(left, 0);
	redis_due_deinit(&due);
}

static bool has_key(const struct redis_part *part, const char *key)
{
	return memmem(part->keys.data, part->keys.len, key, strlen(key)) != NULL;
}

Test(redis_space, alone_has_the_keys_that_it_always_had)
{
	static struct redis_spaces spaces = {.prefix = "p", .part_count = 1};
	struct redis_space *space = redis_space_find(&spaces, SLICE("ns"));
	struct redis_part *part = redis_space_part(&spaces, space, 0);

	cr_expect(has_key(part, "\r\np:{ns:0}:m\r\n"));
	cr_expect_eq(part->route, 0);
	cr_expect(slice_equal(part->key_values, SLICE("$10\r\np:{ns:0}:v\r\n")));
	cr_expect(slice_equal(part->key_heads, SLICE("$10\r\np:{ns:0}:h\r\n")));
	cr_expect_eq(part->clock, &spaces.clock);
	redis_space_deinit_all(&spaces);
}

Test(redis_space, has_partitions_with_clocks_of_their_own)
{
	static struct redis_spaces spaces = {.prefix = "p", .part_count = 16, .is_cluster = true};
	struct redis_space *a = redis_space_find(&spaces, SLICE("models"));
	struct redis_space *b = redis_space_find(&spaces, SLICE("b"));
	struct redis_part *third = redis_space_part(&spaces, a, 3);
	struct redis_part *part = NULL;
	unsigned count = 0;

	cr_expect(has_key(third, "\r\np:{models:3.40}:m\r\n"));
	cr_expect_eq(third->route, 3320 + 1);
	cr_expect_eq(third->clock, &third->own_clock);
	cr_expect_eq(redis_space_part(&spaces, a, 3), third);
	(void)redis_space_part(&spaces, a, 15);
	(void)redis_space_part(&spaces, b, 0);
	while ((part = redis_space_next_part(&spaces, part)))
		count++;
	cr_expect_eq(count, 3);

	redis_due_put(&spaces.due, third, 5);
	third->uses.hits = 1;
	redis_space_drop_idle(&spaces, INT64_MAX);
	cr_expect_eq(spaces.count, 1);
	cr_expect_eq(redis_due_first(&spaces.due), third);
	third->uses.hits = 0;
	redis_space_drop_idle(&spaces, INT64_MAX);
	cr_expect_eq(spaces.count, 0);
	cr_expect_null(redis_due_first(&spaces.due));
	redis_space_deinit_all(&spaces);
}
