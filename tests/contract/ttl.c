/* Expiry: an entry whose time has come is absent for every operation. */
#include "tests/contract/support.h"

CONTRACT_TEST(ttl, entry_expires_at_its_time)
{
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_us(f, 10 * US_PER_S - 1);
	cr_expect(exists(f, SLICE("key")));
	cr_expect(holds(f, SLICE("key"), SLICE("v")));
	advance_us(f, 1);
	cr_expect_not(exists(f, SLICE("key")));
	cr_expect_null(get(f, SLICE("key")));
	cr_expect_null(get_untouched(f, SLICE("key")));
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_NOT_FOUND);
}

CONTRACT_TEST(ttl, zero_never_expires)
{
	struct namespace_settings settings = {.default_ttl_s = 5};

	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL, settings), CACHE_OK);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 0);
	advance_s(f, TTL_MAX_S);
	cr_expect(exists(f, SLICE("key")));
}

CONTRACT_TEST(ttl, longest_ttl_works)
{
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), TTL_MAX_S);
	advance_us(f, TTL_MAX_S * US_PER_S - 1);
	cr_expect(exists(f, SLICE("key")));
	advance_us(f, 1);
	cr_expect_not(exists(f, SLICE("key")));
}

CONTRACT_TEST(ttl, a_longer_default_is_the_longest)
{
	struct namespace_settings settings = {.default_ttl_s = INT64_MAX};

	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL, settings), CACHE_OK);
	(void)set(f, SLICE("key"), SLICE("v"));
	advance_us(f, TTL_MAX_S * US_PER_S - 1);
	cr_expect(exists(f, SLICE("key")));
	advance_us(f, 1);
	cr_expect_not(exists(f, SLICE("key")));
}

CONTRACT_TEST(ttl, default_is_for_sets_that_name_none)
{
	struct namespace_settings settings = {.default_ttl_s = 5};

	(void)set(f, SLICE("before"), SLICE("v"));
	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL, settings), CACHE_OK);
	(void)set(f, SLICE("default"), SLICE("v"));
	(void)set_with_ttl(f, SLICE("own"), SLICE("v"), 60);
	advance_s(f, 5);
	cr_expect(exists(f, SLICE("before")), "it was set when there was no default");
	cr_expect_not(exists(f, SLICE("default")));
	cr_expect(exists(f, SLICE("own")));
}

CONTRACT_TEST(ttl, overwrite_decides_anew)
{
	(void)set_with_ttl(f, SLICE("a"), SLICE("v"), 5);
	(void)set_with_ttl(f, SLICE("b"), SLICE("v"), 500);
	(void)set_with_ttl(f, SLICE("c"), SLICE("v"), 0);
	(void)set(f, SLICE("a"), SLICE("w"));
	(void)set_with_ttl(f, SLICE("b"), SLICE("w"), 5);
	(void)set_with_ttl(f, SLICE("c"), SLICE("w"), 5);
	advance_s(f, 6);
	cr_expect(exists(f, SLICE("a")));
	cr_expect_not(exists(f, SLICE("b")));
	cr_expect_not(exists(f, SLICE("c")));
}

CONTRACT_TEST_OF(BACKEND_STATS, ttl, set_over_an_expired_entry_creates)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("new"));

	(void)set_with_ttl(f, SLICE("key"), SLICE("old"), 5);
	use(f, SLICE("key"), 9);
	advance_s(f, 6);
	cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect(item.created);
	cr_expect(holds(f, SLICE("key"), SLICE("new")));

	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 1);
	if (f->bits & BACKEND_USES)
		cr_expect_eq(now.max_frequency, 1, "a new entry begins at frequency 1");
	cr_expect_eq(now.expirations, 1);
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, ttl, listing_leaves_expired_entries_out)
{
	struct cache_op op;

	(void)set_with_ttl(f, SLICE("a"), SLICE("v"), 5);
	(void)set_with_ttl(f, SLICE("b"), SLICE("v"), 50);
	advance_s(f, 6);
	scan(f, &op, SLICE(""), NULL, 10);
	cr_assert_eq(op.entry_count, 1);
	cr_expect(slice_equal(op.entries[0].key, SLICE("b")));
	cr_expect_eq(op.entries[0].expires_at_us, START_US + 50 * US_PER_S);
	cr_expect(op.complete);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_STATS, ttl, sweep_removes_and_counts)
{
	const unsigned count = rounds_of(f, 5000, 500);
	unsigned waited_ms = 0;

	for (unsigned i = 0; i < count; i++)
		(void)set_with_ttl(f, text("%u", i), SLICE("v"), 10 + i % 7);
	(void)set(f, SLICE("stays"), SLICE("v"));
	advance_s(f, 20);
	while (stats(f).expirations < count && wait_a_moment(&waited_ms))
		;
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.expirations, count);
	cr_expect_eq(now.entry_count, 1);
	cr_expect_eq(now.total_size_bytes, 1);
	cr_expect_eq(now.evictions, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, ttl,
		 expired_entries_make_room_before_live_ones)
{
	set_max_size(f, 10000);
	(void)set_used(f, SLICE("live"), 4000);
	struct cache_item item = item_of(SLICE("expired"), SLICE("v"));
	item.ttl_s = 5;
	item.size_bytes = size_using(SLICE("expired"), 5000);
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
	advance_s(f, 6);
	cr_expect_eq(set_used(f, SLICE("new"), 5000), CACHE_OK);
	cr_expect(exists(f, SLICE("live")));
	cr_expect_eq(stats(f).evictions, 0);
	cr_expect_eq(stats(f).used_bytes, 9000);
}
