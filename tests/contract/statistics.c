/* Statistics and settings of a namespace. */
#define CONTRACT_NEEDS BACKEND_STATS
#include "tests/contract/support.h"

CONTRACT_TEST(statistics, count_entries_and_sizes)
{
	(void)set(f, SLICE("a"), SLICE("12345"));
	(void)set_sized(f, SLICE("b"), 1000);
	struct cache_item understated = item_of(SLICE("c"), SLICE("1234567890"));
	understated.size_bytes = 3;
	(void)set_item(f, NS, &understated);

	struct namespace_stats now = stats(f);
	cr_expect_str_eq(now.name, "n");
	cr_expect_eq(now.entry_count, 3);
	cr_expect_eq(now.total_size_bytes, 5 + 1000 + 10, "the larger of size and length counts");
	cr_expect_eq(now.used_bytes, 3 * used_by(SLICE("a"), 0) + 1015);

	(void)set_sized(f, SLICE("a"), 50);
	(void)set(f, SLICE("b"), SLICE("1"));
	cr_expect_eq(stats(f).total_size_bytes, 50 + 1 + 10);
	(void)delete_key(f, SLICE("a"));
	(void)delete_key(f, SLICE("b"));
	(void)delete_key(f, SLICE("c"));
	now = stats(f);
	cr_expect_eq(now.entry_count, 0);
	cr_expect_eq(now.total_size_bytes, 0);
	cr_expect_eq(now.used_bytes, 0);
	cr_expect_eq(now.max_frequency, 0);
	cr_expect_eq(now.avg_frequency, 0.0);
}

CONTRACT_TEST_OF(BACKEND_USES, statistics, know_the_frequencies)
{
	if (f->is_tiered)
		return; /* hits in the near cache are not uses of the backend */
	for (enum eviction_policy policy = EVICT_FRECENCY; policy <= EVICT_NONE; policy++) {
		set_policy(f, policy);
		clear(f, SLICE(""));
		(void)set(f, SLICE("a"), SLICE("v")); /* 1 */
		(void)set(f, SLICE("b"), SLICE("v"));
		use(f, SLICE("b"), 3); /* 4 */
		(void)set(f, SLICE("c"), SLICE("v"));
		use(f, SLICE("c"), 5);
		(void)set(f, SLICE("c"), SLICE("w")); /* 7 */

		struct namespace_stats now = stats(f);
		cr_expect_eq(now.max_frequency, 7, "%s", eviction_policy_name(policy));
		cr_expect_eq(now.avg_frequency, 4.0, "%s", eviction_policy_name(policy));
		(void)delete_key(f, SLICE("c"));
		now = stats(f);
		cr_expect_eq(now.max_frequency, 4, "%s", eviction_policy_name(policy));
		cr_expect_eq(now.avg_frequency, 2.5, "%s", eviction_policy_name(policy));
	}
}

/* Uses may wait to be counted while their entry goes and another one takes its place. */
CONTRACT_TEST_OF(BACKEND_USES, statistics, count_no_uses_from_before_a_clear)
{
	if (f->is_tiered)
		return; /* hits in the near cache are not uses of the backend */
	for (unsigned round = 0; round < rounds_of(f, 300, 150); round++) {
		for (unsigned i = 0; i < 20; i++) {
			(void)set(f, text("%u", i), SLICE("v"));
			use(f, text("%u", i), 1);
		}
		clear(f, SLICE(""));
		(void)set(f, SLICE("a"), SLICE("v"));
		use(f, SLICE("a"), 1);
		struct namespace_stats now = stats(f);
		cr_assert_eq(now.avg_frequency, 2.0, "round %u: %f", round, now.avg_frequency);
		cr_assert_eq(now.max_frequency, 2, "round %u", round);
		clear(f, SLICE(""));
	}
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN | BACKEND_USES, statistics,
		 exists_and_untouched_gets_are_no_uses)
{
	(void)set(f, SLICE("a"), SLICE("v"));
	advance_s(f, 10);
	for (int i = 0; i < 5; i++) {
		(void)exists(f, SLICE("a"));
		(void)holds(f, SLICE("a"), SLICE("v"));
		(void)holds(f, SLICE("absent"), SLICE("v"));
	}
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.max_frequency, 1);
	cr_expect_eq(now.hits, 0);
	cr_expect_eq(now.misses, 0);

	struct cache_op op;
	scan(f, &op, SLICE(""), NULL, 1);
	cr_expect_eq(op.entries[0].last_access_us, START_US);
	cache_op_deinit(&op);
}

CONTRACT_TEST(statistics, count_operations)
{
	(void)set(f, SLICE("a"), SLICE("v"));
	(void)set(f, SLICE("a"), SLICE("w"));
	(void)set(f, SLICE("b"), SLICE("v"));
	use(f, SLICE("a"), 3);
	use(f, SLICE("absent"), 2);
	(void)delete_key(f, SLICE("b"));
	(void)delete_key(f, SLICE("absent"));

	struct namespace_stats now = stats(f);
	cr_expect_eq(now.sets, 3);
	cr_expect_eq(now.hits, 3);
	cr_expect_eq(now.misses, 2);
	cr_expect_eq(now.deletes, 1, "only what was there");
	cr_expect_eq(now.evictions, 0);
	cr_expect_eq(now.expirations, 0);
}

CONTRACT_TEST_OF(BACKEND_USES, statistics, batch_counts_each_item)
{
	if (f->is_tiered)
		return; /* hits in the near cache are not uses of the backend */
	struct cache_item items[3] = {
		{.key = SLICE("a")},
		{.key = SLICE("b")},
		{.key = SLICE("c")},
	};
	struct cache_op op;

	(void)set(f, SLICE("a"), SLICE("v"));
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.items = items;
	op.item_count = 3;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.hits, 1);
	cr_expect_eq(now.misses, 2);
	cr_expect_eq(now.max_frequency, 2);
}

CONTRACT_TEST(statistics, of_an_unknown_namespace_are_zeros_and_defaults)
{
	struct namespace_stats now = stats(f);

	cr_expect_str_eq(now.name, "n");
	cr_expect_eq(now.entry_count, 0);
	cr_expect_eq(now.total_size_bytes, 0);
	cr_expect_eq(now.settings.max_size_bytes, f->bits & BACKEND_LIMITS ? 100 * MIB : 0);
	cr_expect_eq(now.settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(now.settings.default_ttl_s, 0);
	cr_expect_eq(now.settings.policy, f->ops->default_policy);
	cr_expect_eq(namespace_count(f), 0);
}

CONTRACT_TEST(statistics, of_all_namespaces_are_sorted_by_name)
{
	static const char *const sorted[] = {"0", "A", "B.c", "_x", "a", "a-b", "aa", "b"};
	static const unsigned shuffled[] = {5, 2, 7, 0, 3, 6, 1, 4};
	const size_t count = sizeof(sorted) / sizeof(sorted[0]);
	struct cache_op op;

	for (size_t i = 0; i < count; i++) {
		struct cache_item item = item_of(SLICE("key"), SLICE("v"));

		item.size_bytes = 10 + shuffled[i];
		cr_assert_eq(set_item(f, slice_of(sorted[shuffled[i]]), &item), CACHE_OK);
	}
	cache_op_init(&op, CACHE_OP_STATS);
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_assert_eq(op.stats_count, count);
	for (size_t i = 0; i < count; i++) {
		cr_expect_str_eq(op.stats[i].name, sorted[i]);
		cr_expect_eq(op.stats[i].entry_count, 1);
		cr_expect_eq(op.stats[i].total_size_bytes, 10 + i);
	}
	cache_op_deinit(&op);
}

/* ---- Settings ---- */

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_STALE, settings, change_only_what_the_mask_names)
{
	const struct namespace_settings wanted = {
		.max_size_bytes = 12345,
		.capacity = 67,
		.default_ttl_s = 89,
		.policy = EVICT_LRU,
		.stale_ttl_s = 23,
	};
	struct namespace_settings expected = stats(f).settings;

	cr_assert_eq(configure(f, SETTING_MAX_SIZE, wanted), CACHE_OK);
	expected.max_size_bytes = 12345;
	cr_expect_eq(namespace_count(f), 1, "CONFIGURE creates the namespace");
	for (unsigned mask = SETTING_CAPACITY; mask <= SETTING_STALE_TTL; mask <<= 1) {
		if (mask & SETTING_CAPACITY)
			expected.capacity = 67;
		if (mask & SETTING_DEFAULT_TTL)
			expected.default_ttl_s = 89;
		if (mask & SETTING_POLICY)
			expected.policy = EVICT_LRU;
		if (mask & SETTING_STALE_TTL)
			expected.stale_ttl_s = 23;
		cr_assert_eq(configure(f, mask, wanted), CACHE_OK);

		struct namespace_settings now = stats(f).settings;
		cr_expect_eq(now.max_size_bytes, expected.max_size_bytes);
		cr_expect_eq(now.capacity, expected.capacity);
		cr_expect_eq(now.default_ttl_s, expected.default_ttl_s);
		cr_expect_eq(now.policy, expected.policy);
		cr_expect_eq(now.stale_ttl_s, expected.stale_ttl_s);
	}
	struct namespace_settings nothing = {0};
	cr_assert_eq(configure(f, 0, nothing), CACHE_OK);
	cr_expect_eq(stats(f).settings.capacity, 67);
}

/* For the layers and for the server: a backend keeps these and does not look at them. */
CONTRACT_TEST_OF(BACKEND_STATS, settings, of_others_are_kept)
{
	struct namespace_settings wanted = {.compression = COMPRESSION_ZSTD, .put_status = 200};

	if (!knows_expire(f))
		return;
	cr_expect_eq(stats(f).settings.compression, COMPRESSION_NONE);
	cr_expect_eq(stats(f).settings.put_status, 0);
	cr_assert_eq(configure(f, SETTING_COMPRESSION, wanted), CACHE_OK);
	cr_expect_eq(stats(f).settings.compression, COMPRESSION_ZSTD);
	cr_expect_eq(stats(f).settings.put_status, 0);
	cr_assert_eq(configure(f, SETTING_PUT_STATUS, wanted), CACHE_OK);
	cr_expect_eq(stats(f).settings.put_status, 200);
	clear(f, SLICE(""));
	(void)set(f, SLICE("key"), SLICE("v"));
	fixture_reopen(f);
	struct namespace_settings now = stats(f).settings;
	cr_expect_eq(now.compression, f->persists ? COMPRESSION_ZSTD : COMPRESSION_NONE);
	cr_expect_eq(now.put_status, f->persists ? 200 : 0);
	cr_assert_eq(configure(f, SETTING_COMPRESSION | SETTING_PUT_STATUS,
			       (struct namespace_settings){0}),
		     CACHE_OK);
	cr_expect_eq(stats(f).settings.compression, COMPRESSION_NONE);
	cr_expect_eq(stats(f).settings.put_status, 0);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, settings, keep_the_entries_and_stay_after_clear)
{
	(void)set(f, SLICE("a"), SLICE("v"));
	set_max_size(f, 5000);
	set_policy(f, EVICT_LRU);
	cr_expect(exists(f, SLICE("a")));
	clear(f, SLICE(""));
	cr_expect_eq(stats(f).settings.max_size_bytes, 5000);
	cr_expect_eq(stats(f).settings.policy, EVICT_LRU);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, settings, shrinking_the_size_evicts_at_once)
{
	set_policy(f, EVICT_FIFO);
	for (unsigned i = 0; i < 10; i++) {
		(void)set_used(f, text("%u", i), 1000);
		advance_us(f, 1);
	}
	set_max_size(f, 10000);
	cr_expect_eq(stats(f).entry_count, 10, "it fits");
	set_max_size(f, 5000);
	struct namespace_stats now = stats(f);
	cr_expect_leq(now.used_bytes, 5000);
	cr_expect_geq(now.used_bytes, 4000);
	cr_expect_eq(now.evictions, 10 - now.entry_count);
	cr_expect(exists(f, SLICE("9")));
	cr_expect_not(exists(f, SLICE("4")));
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, settings, shrinking_the_capacity_evicts_at_once)
{
	set_policy(f, EVICT_FIFO);
	for (unsigned i = 0; i < 10; i++) {
		(void)set(f, text("%u", i), SLICE("v"));
		advance_us(f, 1);
	}
	set_capacity(f, 3);
	cr_expect_eq(stats(f).entry_count, 3);
	for (unsigned i = 0; i < 10; i++)
		cr_expect_eq(exists(f, text("%u", i)), i >= 7);
	set_capacity(f, 0);
	cr_expect_eq(stats(f).entry_count, 0);
}

static void small_defaults(void *user, struct slice ns, struct namespace_settings *ret)
{
	(void)user;
	if (!slice_equal(ns, SLICE("small")))
		return;
	ret->max_size_bytes = 777;
	ret->capacity = 7;
	ret->default_ttl_s = 70;
	ret->policy = EVICT_NONE;
}

CONTRACT_TEST_OF(BACKEND_LIMITS, settings, defaults_come_from_the_configuration)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("v"));

	f->config.defaults = small_defaults;
	fixture_reopen(f);
	cr_expect_eq(stats_of(f, SLICE("small")).settings.max_size_bytes, 777);
	cr_assert_eq(set_item(f, SLICE("small"), &item), CACHE_OK);
	(void)set(f, SLICE("key"), SLICE("v"));

	struct namespace_settings small = stats_of(f, SLICE("small")).settings;
	cr_expect_eq(small.max_size_bytes, 777);
	cr_expect_eq(small.capacity, 7);
	cr_expect_eq(small.default_ttl_s, 70);
	cr_expect_eq(small.policy, EVICT_NONE);
	cr_expect_eq(stats(f).settings.max_size_bytes, 100 * MIB);
	cr_expect_eq(stats(f).settings.policy, f->ops->default_policy);
}
