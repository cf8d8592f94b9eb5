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

/* ---- Dropping ---- */

static enum cache_status drop(struct fixture *f, struct slice ns)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CLEAR);
	op.ns = ns;
	op.drop = true;
	enum cache_status status = backend_call(f->backend, &op);
	cache_op_deinit(&op);
	return status;
}

static void set_in(struct fixture *f, struct slice ns, struct slice key)
{
	struct cache_item item = item_of(key, SLICE("v"));

	cr_expect_eq(set_item(f, ns, &item), CACHE_OK);
}

CONTRACT_TEST_OF(BACKEND_STATS, drop, takes_entries_settings_and_statistics)
{
	const unsigned count = rounds_of(f, 1500, 200);
	struct namespace_settings settings = {
		.default_ttl_s = 77, .compression = COMPRESSION_ZSTD, .put_status = 200};

	if (!knows_expire(f))
		return;
	struct namespace_settings before = stats(f).settings;
	cr_expect_eq(drop(f, NS), CACHE_NOT_FOUND);
	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL | SETTING_COMPRESSION | SETTING_PUT_STATUS,
			       settings),
		     CACHE_OK);
	set_in(f, SLICE("other"), SLICE("key"));
	for (unsigned i = 0; i < count; i++)
		(void)set_with_ttl(f, text("%u", i), SLICE("v"), i % 2 ? 0 : 100);
	use(f, SLICE("1"), 3);
	cr_expect_null(get(f, SLICE("absent")));
	cr_expect_eq(drop(f, NS), CACHE_OK);
	cr_expect_eq(namespace_count(f), 1);
	cr_expect_not(exists(f, SLICE("1")));
	cr_expect_null(get(f, SLICE("2")));
	cr_expect_eq(delete_key(f, SLICE("3")), CACHE_NOT_FOUND);
	cr_expect_eq(drop(f, NS), CACHE_NOT_FOUND);
	cr_expect_eq(stats_of(f, SLICE("other")).entry_count, 1);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.settings.default_ttl_s, before.default_ttl_s);
	cr_expect_eq(now.entry_count + now.used_bytes + now.sets + now.hits + now.misses, 0);

	(void)set(f, SLICE("again"), SLICE("v"));
	now = stats(f);
	cr_expect_eq(now.entry_count, 1);
	cr_expect_eq(now.used_bytes, used_by(SLICE("again"), 1));
	cr_expect_eq(now.sets, 1);
	cr_expect_eq(now.hits, 0);
	cr_expect_eq(now.misses, 0);
	cr_expect_eq(now.deletes, 0);
	cr_expect_eq(now.settings.default_ttl_s, before.default_ttl_s);
	cr_expect_eq(now.settings.compression, COMPRESSION_NONE);
	cr_expect_eq(now.settings.put_status, 0);
	cr_expect_eq(now.settings.policy, before.policy);
	cr_expect_not(exists(f, SLICE("1")));
	advance_s(f, 1000);
	cr_expect(exists(f, SLICE("again")));
	cr_expect_eq(stats(f).entry_count, 1, "old entries do not count");
	cr_expect_eq(stats(f).expirations, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS, drop, gives_a_place_back)
{
	if (!knows_expire(f) || !f->limits_namespaces)
		return;
	struct cache_item item = item_of(SLICE("key"), SLICE("v"));
	f->config.max_namespaces = 2;
	fixture_reopen(f);
	set_in(f, SLICE("a"), SLICE("key"));
	set_in(f, SLICE("b"), SLICE("key"));
	cr_expect_eq(set_item(f, SLICE("c"), &item), CACHE_TOO_MANY_NAMESPACES);
	cr_expect_eq(drop(f, SLICE("a")), CACHE_OK);
	set_in(f, SLICE("c"), SLICE("key"));
	item = item_of(SLICE("key"), SLICE("v"));
	cr_expect_eq(set_item(f, SLICE("a"), &item), CACHE_TOO_MANY_NAMESPACES);
	for (unsigned i = 0; i < 20; i++) {
		cr_expect_eq(drop(f, i ? text("ns%u", i - 1) : SLICE("c")), CACHE_OK);
		set_in(f, text("ns%u", i), SLICE("key"));
	}
	cr_expect_eq(drop(f, SLICE("ns19")), CACHE_OK);
	set_in(f, SLICE("a"), SLICE("key"));
	cr_expect_eq(stats_of(f, SLICE("a")).entry_count, 1);
	cr_expect_eq(namespace_count(f), 2);
}

CONTRACT_TEST_OF(BACKEND_STATS, drop, outlives_the_backend)
{
	/* The backend behind a namespace may be one that forgets, and another's not. */
	bool persists = backend_traits_of(f->backend, SLICE("stays")).bits & BACKEND_PERSISTS;

	if (!knows_expire(f))
		return;
	set_in(f, SLICE("gone"), SLICE("key"));
	set_in(f, SLICE("again"), SLICE("old"));
	set_in(f, SLICE("stays"), SLICE("key"));
	cr_expect_eq(drop(f, SLICE("gone")), CACHE_OK);
	cr_expect_eq(drop(f, SLICE("again")), CACHE_OK);
	set_in(f, SLICE("again"), SLICE("new"));
	fixture_reopen(f);
	cr_expect_eq(namespace_count(f), persists ? 2 : 0);
	cr_expect_eq(stats_of(f, SLICE("gone")).entry_count, 0);
	cr_expect_eq(stats_of(f, SLICE("again")).entry_count, persists ? 1 : 0);
	cr_expect_eq(stats_of(f, SLICE("stays")).entry_count, persists ? 1 : 0);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_STALE, drop, takes_limits_and_times)
{
	struct namespace_settings settings = {.max_size_bytes = 1000,
					      .capacity = 3,
					      .default_ttl_s = 5,
					      .policy = EVICT_NONE,
					      .stale_ttl_s = 6,
					      .max_idle_s = 7};
	const unsigned all = SETTING_MAX_SIZE | SETTING_CAPACITY | SETTING_DEFAULT_TTL |
			     SETTING_POLICY | SETTING_STALE_TTL |
			     (f->bits & BACKEND_IDLE ? SETTING_MAX_IDLE : 0U);

	if (!knows_expire(f))
		return;
	struct namespace_settings before = stats(f).settings;
	cr_assert_eq(configure(f, all, settings), CACHE_OK);
	for (unsigned i = 0; i < 3; i++)
		(void)set(f, text("old%u", i), SLICE("v"));
	cr_expect_eq(drop(f, NS), CACHE_OK);
	for (unsigned i = 0; i < 20; i++)
		cr_expect_eq(set(f, text("%u", i), SLICE("v")), CACHE_OK);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 20);
	cr_expect_eq(now.settings.max_size_bytes, before.max_size_bytes);
	cr_expect_eq(now.settings.capacity, before.capacity);
	cr_expect_eq(now.settings.policy, before.policy);
	cr_expect_eq(now.settings.stale_ttl_s, 0);
	cr_expect_eq(now.settings.max_idle_s, 0);
	advance_s(f, 100);
	cr_expect_eq(stats(f).entry_count, 20);
	cr_expect(exists(f, SLICE("7")));
	/* And it can be configured again. */
	set_policy(f, EVICT_FIFO);
	set_capacity(f, 2);
	cr_expect_eq(stats(f).entry_count, 2);
	cr_expect_eq(stats(f).evictions, 18);
}
