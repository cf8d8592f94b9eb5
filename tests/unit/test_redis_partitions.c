/* Partitions of namespaces: their slots, their shares of limits, the order of their housekeeping.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/redis/due.h"
#include "backends/redis/merge.h"
#include "backends/redis/redis.h"
#include "backends/redis/refusal.h"
#include "backends/redis/scatter_stats.h"
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

/* ---- Listings ---- */

#define RUNS_MAX 40

static struct redis_run runs[RUNS_MAX];
static char listed[256];

/* The entries of "abc" are a, b and c. */
static void fill(struct redis_run *run, const char *keys, bool complete)
{
	free(run->entries);
	*run = (struct redis_run){.count = strlen(keys), .complete = complete};
	run->entries = calloc(run->count + 1, sizeof(*run->entries));
	for (size_t i = 0; i < run->count; i++)
		run->entries[i].key = (struct slice){.data = strndup(&keys[i], 1), .len = 1};
}

static const char *entries_of(const struct cache_op *op)
{
	size_t i = 0;

	for (; i < op->entry_count; i++)
		listed[i] = op->entries[i].key.data[0];
	listed[i] = '\0';
	return listed;
}

static void begin_scan(struct cache_op *op, size_t limit, size_t max_key_bytes)
{
	cache_op_init(op, CACHE_OP_SCAN);
	op->limit = limit;
	op->max_key_bytes = max_key_bytes;
}

static void end_scan(struct cache_op *op)
{
	redis_merge_free_runs(runs, RUNS_MAX);
	cache_op_deinit(op);
}

Test(redis_merge, is_in_byte_order)
{
	struct cache_op op;

	begin_scan(&op, 100, 0);
	fill(&runs[0], "adg", true);
	fill(&runs[1], "", true);
	fill(&runs[2], "bc\xff", true);
	fill(&runs[3], "efhz", true);
	cr_expect_eq(redis_merge(runs, 4, &op), MERGE_DONE);
	cr_expect_str_eq(entries_of(&op), "abcdefghz\xff");
	cr_expect(op.complete);
	end_scan(&op);
}

Test(redis_merge, ends_at_the_limits)
{
	struct cache_op op;

	begin_scan(&op, 3, 0);
	fill(&runs[0], "ad", true);
	fill(&runs[1], "bc", true);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_DONE);
	cr_expect_str_eq(entries_of(&op), "abc");
	cr_expect_not(op.complete);
	end_scan(&op);

	begin_scan(&op, 3, 2);
	fill(&runs[0], "ad", true);
	fill(&runs[1], "bc", true);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_DONE);
	cr_expect_str_eq(entries_of(&op), "ab");
	cr_expect_not(op.complete);
	end_scan(&op);

	/* Exactly all. */
	begin_scan(&op, 4, 0);
	fill(&runs[0], "ad", true);
	fill(&runs[1], "bc", true);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_DONE);
	cr_expect(op.complete);
	end_scan(&op);
	/* There is more than was asked for. */
	begin_scan(&op, 4, 0);
	fill(&runs[0], "ad", true);
	fill(&runs[1], "bc", false);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_NEEDS_MORE);
	fill(&runs[1], "x", true);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_DONE);
	cr_expect_str_eq(entries_of(&op), "abcd");
	cr_expect_not(op.complete);
	end_scan(&op);
}

/* What follows the end of a run that has more is not known. */
Test(redis_merge, waits_for_a_run_that_has_more)
{
	struct cache_op op;

	begin_scan(&op, 100, 0);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_NEEDS_MORE);
	fill(&runs[0], "bd", false);
	fill(&runs[1], "acxyz", true);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_NEEDS_MORE);
	cr_expect_str_eq(entries_of(&op), "abcd");
	cr_expect(redis_merge_lacks(&runs[0]));
	cr_expect_not(redis_merge_lacks(&runs[1]));
	fill(&runs[0], "ef", true);
	cr_expect_eq(redis_merge(runs, 2, &op), MERGE_DONE);
	cr_expect_str_eq(entries_of(&op), "abcdefxyz");
	cr_expect(op.complete);
	end_scan(&op);
}

/* ---- Statistics ---- */

Test(redis_stats, are_summed_up)
{
	struct namespace_stats sum = {.hits = 99};
	const struct namespace_stats parts[3] = {
		{.settings = {.max_size_bytes = 100, .capacity = 3, .default_ttl_s = 7},
		 .entry_count = 1,
		 .used_bytes = 10,
		 .total_size_bytes = 4,
		 .avg_frequency = 8,
		 .max_frequency = 8,
		 .hits = 5,
		 .evictions = 2,
		 .expirations = 1},
		{.settings = {.max_size_bytes = 100, .capacity = 3, .default_ttl_s = 7}, .hits = 5},
		{.settings = {.max_size_bytes = 101, .capacity = 4, .default_ttl_s = 7},
		 .entry_count = 3,
		 .used_bytes = 30,
		 .total_size_bytes = 5,
		 .avg_frequency = 2,
		 .max_frequency = 4,
		 .hits = 5,
		 .evictions = 1,
		 .expirations = 1},
	};

	for (unsigned i = 0; i < 3; i++)
		redis_scatter_add_stats(&sum, &parts[i], i);
	cr_expect_eq(sum.settings.max_size_bytes, 301);
	cr_expect_eq(sum.settings.capacity, 10);
	cr_expect_eq(sum.settings.default_ttl_s, 7);
	cr_expect_eq(sum.entry_count, 4);
	cr_expect_eq(sum.used_bytes, 40);
	cr_expect_eq(sum.total_size_bytes, 9);
	cr_expect_float_eq(sum.avg_frequency, 3.5, 1e-12);
	cr_expect_eq(sum.max_frequency, 8);
	cr_expect_eq(sum.hits, 5, "this server's, in each");
	cr_expect_eq(sum.evictions, 3);
	cr_expect_eq(sum.expirations, 2);

	struct namespace_stats open = {.settings = {.capacity = CAPACITY_UNLIMITED}};
	redis_scatter_add_stats(&sum, &open, 3);
	cr_expect_eq(sum.settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(sum.settings.max_size_bytes, 0);
}

/* ---- Refusals ---- */

Test(redis_refusal, says_what_to_set)
{
	struct redis_refusals refusals;
	struct namespace_settings settings = {.capacity = 15, .max_size_bytes = 65535};

	redis_refusal_init(&refusals, 16);
	cr_expect_str_eq(
		redis_refusal_of(&refusals, &settings, SETTING_CAPACITY),
		"the capacity is shared out to 16 partitions: it must be 0, unlimited or at "
		"least 16");
	cr_expect_str_eq(redis_refusal_of(&refusals, &settings, SETTING_MAX_SIZE),
			 "max_size_mb is shared out to 16 partitions: it must be 0, which is no "
			 "limit, or at least 0.0625");
	cr_expect_null(redis_refusal_of(&refusals, &settings, SETTING_POLICY));
	settings = (struct namespace_settings){.capacity = 16, .max_size_bytes = 65536};
	cr_expect_null(redis_refusal_of(&refusals, &settings, 15));
	redis_refusal_init(&refusals, 1);
	settings = (struct namespace_settings){.capacity = 1, .max_size_bytes = 1};
	cr_expect_null(redis_refusal_of(&refusals, &settings, 15));
}

static void narrow_defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	if (slice_equal(ns, slice_of(user)))
		ret->capacity = 5;
}

/* Before anything is opened. */
Test(redis_refusal, of_limits_from_the_start_names_the_namespace)
{
	static const char *const names[] = {"one", "two", NULL};
	struct backend_config config = {
		.url = "redis://h?cluster=1&partitions=8",
		.defaults = narrow_defaults,
		.defaults_user = (void *)(uintptr_t) "two",
	};
	char error[300] = "";

	cr_expect(redis_backend_ops.check_config(&config, error, sizeof(error)));
	config.default_names = names;
	cr_expect_not(redis_backend_ops.check_config(&config, error, sizeof(error)));
	cr_expect_str_eq(error, "the limits from the start of two: the capacity is shared out to 8 "
				"partitions: it must be 0, unlimited or at least 8");
	config.defaults_user = (void *)(uintptr_t) "";
	cr_expect_not(redis_backend_ops.check_config(&config, error, sizeof(error)));
	cr_expect(strstr(error, "from the start of a namespace: "), "%s", error);
	config.url = "redis://h?cluster=1&partitions=1";
	cr_expect(redis_backend_ops.check_config(&config, error, sizeof(error)));
	config.url = "redis://h";
	cr_expect(redis_backend_ops.check_config(&config, error, sizeof(error)));
}
