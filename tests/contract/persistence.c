/* What a closed and reopened backend contains: everything if it persists, otherwise nothing. */
#define CONTRACT_NEEDS BACKEND_STATS
#include "tests/contract/support.h"

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, persistence, entries_and_settings_outlive_the_backend)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	struct namespace_settings settings = {
		.max_size_bytes = 4321,
		.capacity = 99,
		.default_ttl_s = 77,
		.policy = EVICT_LRU,
	};

	cr_assert_eq(configure(f,
			       SETTING_MAX_SIZE | SETTING_CAPACITY | SETTING_DEFAULT_TTL |
				       SETTING_POLICY,
			       settings),
		     CACHE_OK);
	(void)set_with_ttl(f, SLICE("stays"), SLICE("value"), 0);
	(void)set(f, SLICE("goes"), SLICE("value"));
	use(f, SLICE("stays"), 4);
	advance_s(f, 3);
	fixture_reopen(f);

	cr_expect_eq(exists(f, SLICE("stays")), f->persists);
	if (!f->persists) {
		cr_expect_eq(namespace_count(f), 0);
		return;
	}
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 2);
	cr_expect_eq(now.max_frequency, 5, "uses are kept");
	cr_expect_eq(now.settings.max_size_bytes, 4321);
	cr_expect_eq(now.settings.capacity, 99);
	cr_expect_eq(now.settings.default_ttl_s, 77);
	cr_expect_eq(now.settings.policy, EVICT_LRU);
	cr_expect_eq(now.hits, 0, "counters begin with the process");
	struct cache_value *value = get_untouched(f, SLICE("stays"));
	cr_assert(value);
	struct etag etag = etag_of(SLICE("value"));
	cr_expect(etag_equal(&value->etag, &etag));
	cr_expect_eq(value->modified_at_us, START_US);
	cr_expect_str_eq(cache_value_content_type(value), CONTENT_TYPE_TEXT);
	cr_expect_eq(value->flags, CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN);
	cache_value_release(value);
	advance_s(f, 75);
	cr_expect_not(exists(f, SLICE("goes")), "its time to live went on");
}

CONTRACT_TEST_OF(BACKEND_USES, persistence, uses_of_many_keys_are_kept)
{
	const unsigned count = 600;

	if (f->is_tiered || !f->persists)
		return;
	for (unsigned i = 0; i < count; i++)
		(void)set(f, text("%u", i), SLICE("v"));
	for (unsigned i = 0; i < count; i++)
		use(f, text("%u", i), 1);
	fixture_reopen(f);
	cr_expect_float_eq(stats(f).avg_frequency, 2.0, 0.0001);
}

CONTRACT_TEST_OF(BACKEND_PREFIX_CLEAR, persistence, close_with_work_left_behind_is_clean)
{
	const unsigned count = rounds_of(f, 3000, 3000);

	for (unsigned i = 0; i < count; i++)
		(void)set_with_ttl(f, text("%u", i % (count / 2)), SLICE("v"), i % 3);
	clear(f, SLICE("1"));
	clear(f, SLICE(""));
	(void)set(f, SLICE("key"), SLICE("v"));
	fixture_reopen(f);
	cr_expect_eq(exists(f, SLICE("key")), f->persists);
	cr_expect_eq(stats(f).entry_count, f->persists ? 1 : 0);
}
