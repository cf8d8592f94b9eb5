/* Clearing, and namespaces that exist or do not. */
#include "tests/contract/support.h"

CONTRACT_TEST_OF(BACKEND_STATS, clear, removes_everything_of_its_namespace)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("v"));
	const unsigned count = rounds_of(f, 1500, 1500);

	(void)set_item(f, SLICE("other"), &item);
	for (unsigned i = 0; i < count; i++)
		(void)set_with_ttl(f, text("%u", i), SLICE("v"), i % 2 ? 0 : 100);
	clear(f, SLICE(""));
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 0);
	cr_expect_eq(now.total_size_bytes, 0);
	cr_expect_eq(now.max_frequency, 0);
	cr_expect_eq(now.deletes, count);
	for (unsigned i = 0; i < count; i++)
		cr_assert_not(exists(f, text("%u", i)));
	cr_expect_eq(stats_of(f, SLICE("other")).entry_count, 1);

	cr_expect_eq(set(f, SLICE("7"), SLICE("again")), CACHE_OK);
	cr_expect(holds(f, SLICE("7"), SLICE("again")));
	advance_s(f, 200);
	cr_expect_eq(stats(f).entry_count, 1);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_PREFIX_CLEAR, clear, by_prefix_removes_only_those_keys)
{
	const unsigned count = rounds_of(f, 1200, 1200);

	for (unsigned i = 0; i < count; i++) {
		(void)set(f, text("a/%u", i), SLICE("v"));
		if (i % 4 == 0)
			(void)set(f, text("b/%u", i), SLICE("v"));
	}
	(void)set(f, SLICE("a"), SLICE("v"));
	(void)set(f, SLICE("a0"), SLICE("v"));
	clear(f, SLICE("a/"));
	cr_expect_eq(stats(f).entry_count, count / 4 + 2);
	cr_expect_eq(stats(f).total_size_bytes, count / 4 + 2);
	cr_expect(exists(f, SLICE("a")));
	cr_expect(exists(f, SLICE("a0")));
	for (unsigned i = 0; i < count; i++) {
		cr_assert_not(exists(f, text("a/%u", i)));
		cr_assert_eq(exists(f, text("b/%u", i)), i % 4 == 0);
	}
	clear(f, SLICE("nothing"));
	cr_expect_eq(stats(f).entry_count, count / 4 + 2);
}

/* Longer than what an index may hold of a key, with many keys that differ only after that. */
CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_PREFIX_CLEAR, clear, by_a_prefix_of_a_whole_prompt)
{
	static const char preamble[] =
		"You are a helpful assistant that answers in one sentence, and "
		"never in two, whatever the question. ";
	const unsigned count = rounds_of(f, 600, 600);

	for (unsigned i = 0; i < count; i++)
		(void)set(f, text("%s%s %u", preamble, i % 3 ? "Why" : "How", i), SLICE("v"));
	clear(f, text("%sWhy", preamble));
	cr_expect_eq(stats(f).entry_count, count / 3);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(exists(f, text("%s%s %u", preamble, i % 3 ? "Why" : "How", i)),
			     i % 3 == 0);
	clear(f, slice_of(preamble));
	cr_expect_eq(stats(f).entry_count, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_PREFIX_CLEAR, clear, by_a_prefix_of_high_bytes)
{
	(void)set(f, SLICE("\xff\xff"), SLICE("v"));
	(void)set(f, SLICE("\xff\xff\xff"), SLICE("v"));
	(void)set(f, SLICE("\xff\xfe"), SLICE("v"));
	clear(f, SLICE("\xff\xff"));
	cr_expect_eq(stats(f).entry_count, 1);
	cr_expect(exists(f, SLICE("\xff\xfe")));
}

CONTRACT_TEST(clear, leaves_held_values_alone)
{
	(void)set(f, SLICE("key"), SLICE("value"));
	struct cache_value *value = get(f, SLICE("key"));

	cr_assert(value);
	clear(f, SLICE(""));
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("value")));
	cache_value_release(value);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN | BACKEND_PREFIX_CLEAR, namespaces,
		 are_created_by_sets_and_settings_only)
{
	struct cache_op op;

	cr_expect_null(get(f, SLICE("key")));
	cr_expect_not(exists(f, SLICE("key")));
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_NOT_FOUND);
	clear(f, SLICE(""));
	clear(f, SLICE("prefix"));
	(void)stats(f);
	scan(f, &op, SLICE(""), NULL, 1);
	cache_op_deinit(&op);
	cr_expect_eq(namespace_count(f), 0);
	(void)set(f, SLICE("key"), SLICE("v"));
	cr_expect_eq(namespace_count(f), 1);
	(void)delete_key(f, SLICE("key"));
	clear(f, SLICE(""));
	cr_expect_eq(namespace_count(f), 1, "an empty namespace stays");
}

CONTRACT_TEST_OF(BACKEND_STATS, namespaces, are_limited_in_number)
{
	struct cache_op op;

	if (!f->limits_namespaces)
		return;
	f->config.max_namespaces = 3;
	fixture_reopen(f);
	for (unsigned i = 0; i < 5; i++) {
		struct cache_item item = item_of(SLICE("key"), SLICE("v"));
		enum cache_status status = set_item(f, text("ns%u", i), &item);

		cr_expect_eq(status, i < 3 ? CACHE_OK : CACHE_TOO_MANY_NAMESPACES);
	}
	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = SLICE("ns4");
	cr_expect_eq(backend_call(f->backend, &op), CACHE_TOO_MANY_NAMESPACES);
	cache_op_deinit(&op);
	cr_expect_eq(namespace_count(f), 3);

	struct cache_item item = item_of(SLICE("another"), SLICE("v"));
	cr_expect_eq(set_item(f, SLICE("ns2"), &item), CACHE_OK);
}

CONTRACT_TEST_OF(BACKEND_STATS, namespaces, of_the_longest_name_and_many_of_them)
{
	char name[NAMESPACE_MAX_LEN];
	struct slice longest = {.data = name, .len = sizeof(name)};

	memset(name, 'x', sizeof(name));
	for (unsigned i = 0; i < 100; i++) {
		struct cache_item item = item_of(SLICE("key"), SLICE("v"));

		name[NAMESPACE_MAX_LEN - 2] = (char)('0' + i / 10);
		name[NAMESPACE_MAX_LEN - 1] = (char)('0' + i % 10);
		cr_assert_eq(set_item(f, longest, &item), CACHE_OK);
		cr_assert(item.created);
	}
	cr_expect_eq(namespace_count(f), 100);
	struct slice shorter = {.data = name, .len = sizeof(name) - 1};
	cr_expect_eq(stats_of(f, shorter).entry_count, 0);
	cr_expect_eq(stats_of(f, longest).entry_count, 1);
}
