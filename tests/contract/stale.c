/* Stale serving: an entry that has expired is kept for its namespace's stale time; gets that ask
 * for it find it, and nothing else does. */
#define CONTRACT_NEEDS BACKEND_STALE
#include "tests/contract/support.h"

static void set_stale_ttl(struct fixture *f, int64_t stale_ttl_s)
{
	struct namespace_settings settings = {.stale_ttl_s = stale_ttl_s};

	cr_assert_eq(configure(f, SETTING_STALE_TTL, settings), CACHE_OK);
}

enum found { MISSING, FRESH, STALE };

static enum found get_stale(struct fixture *f, struct slice key, bool no_touch)
{
	enum found found = MISSING;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.one.key = key;
	op.no_touch = no_touch;
	op.serve_stale = true;
	if (backend_call(f->backend, &op) == CACHE_OK) {
		cr_expect(op.one.value);
		found = op.one.stale ? STALE : FRESH;
	}
	cache_op_deinit(&op);
	return found;
}

/* As HEAD would: counts nothing. */
static enum found look(struct fixture *f, struct slice key)
{
	return get_stale(f, key, true);
}

CONTRACT_TEST(stale, is_found_from_its_expiry_to_the_end_of_its_stale_time)
{
	set_stale_ttl(f, 20);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_us(f, 10 * US_PER_S - 1);
	cr_expect_eq(look(f, SLICE("key")), FRESH);
	advance_us(f, 1);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	advance_us(f, 20 * US_PER_S - 1);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	advance_us(f, 1);
	cr_expect_eq(look(f, SLICE("key")), MISSING);
}

CONTRACT_TEST(stale, is_not_found_without_a_stale_time)
{
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_s(f, 10);
	cr_expect_eq(look(f, SLICE("key")), MISSING);
}

CONTRACT_TEST(stale, value_is_the_one_that_was_set)
{
	struct cache_op op;

	set_stale_ttl(f, 20);
	(void)set_with_ttl(f, SLICE("key"), SLICE("the value"), 10);
	advance_s(f, 15);
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = NS;
	op.one.key = SLICE("key");
	op.serve_stale = true;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect(op.one.stale);
	cr_expect(slice_equal(cache_value_bytes(op.one.value), SLICE("the value")));
	cr_expect_eq(op.one.value->expires_at_us, START_US + 10 * US_PER_S);
	cr_expect_eq(op.one.value->modified_at_us, START_US);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN | BACKEND_CONDITIONS, stale,
		 is_not_live_for_anything_else)
{
	struct cache_condition present = {.kind = CONDITION_PRESENT};
	struct cache_op op;

	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_s(f, 11);
	cr_expect_null(get(f, SLICE("key")));
	cr_expect_null(get_untouched(f, SLICE("key")));
	cr_expect_not(exists(f, SLICE("key")));
	scan(f, &op, SLICE(""), NULL, 10);
	cr_expect_eq(op.entry_count, 0);
	cache_op_deinit(&op);
	cr_expect_eq(set_if(f, SLICE("key"), SLICE("w"), present), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(delete_if(f, SLICE("key"), present), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(look(f, SLICE("key")), STALE, "what was refused has changed nothing");
	cr_expect_eq(stats(f).entry_count, 1, "it takes its room");
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, stale, refused_set_leaves_it_there)
{
	set_stale_ttl(f, 100);
	set_max_size(f, 1000);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_s(f, 11);
	cr_expect_eq(set_used(f, SLICE("key"), 1001), CACHE_TOO_LARGE);
	cr_expect_eq(look(f, SLICE("key")), STALE);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_ORDERED_SCAN | BACKEND_CONDITIONS, stale, set_creates_anew)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("new"));
	struct cache_op op;

	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("key"), SLICE("old"), 5);
	(void)set_with_ttl(f, SLICE("other"), SLICE("o"), 0);
	use(f, SLICE("key"), 9);
	advance_s(f, 6);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	item.condition = (struct cache_condition){.kind = CONDITION_ABSENT};
	cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect(item.created);
	cr_expect(holds(f, SLICE("key"), SLICE("new")));
	cr_expect_eq(look(f, SLICE("key")), FRESH);

	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 2);
	cr_expect_eq(now.total_size_bytes, 4);
	if (f->bits & BACKEND_USES)
		cr_expect_eq(now.max_frequency, 1, "a new entry begins at frequency 1");
	cr_expect_eq(now.expirations, 1);
	scan(f, &op, SLICE("key"), NULL, 10);
	cr_assert_eq(op.entry_count, 1);
	cr_expect_eq(op.entries[0].frequency, 1);
	cr_expect_eq(op.entries[0].created_at_us, START_US + 6 * US_PER_S);
	cr_expect_eq(op.entries[0].expires_at_us, 0);
	cache_op_deinit(&op);
	advance_s(f, 1000);
	cr_expect(exists(f, SLICE("key")), "the new one never expires");
}

/* One operation sets keys that were stale, live and absent before. */
CONTRACT_TEST_OF(BACKEND_STATS, stale, batch_set_over_all_kinds)
{
	struct cache_item items[3];
	struct cache_op op;

	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("stale"), SLICE("1"), 5);
	(void)set_with_ttl(f, SLICE("live"), SLICE("1"), 50);
	advance_s(f, 6);
	items[0] = item_of(SLICE("stale"), SLICE("22"));
	items[1] = item_of(SLICE("live"), SLICE("22"));
	items[2] = item_of(SLICE("absent"), SLICE("22"));
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = NS;
	op.items = items;
	op.item_count = 3;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cr_expect(items[0].created);
	cr_expect_not(items[1].created);
	cr_expect(items[2].created);
	for (size_t i = 0; i < 3; i++)
		cache_value_release(items[i].value);
	cache_op_deinit(&op);
	cr_expect_eq(stats(f).entry_count, 3);
	cr_expect_eq(stats(f).total_size_bytes, 6);
	cr_expect(holds(f, SLICE("stale"), SLICE("22")));
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, stale,
		 replacing_it_fits_where_the_namespace_is_full)
{
	set_stale_ttl(f, 100);
	set_capacity(f, 2);
	(void)set_with_ttl(f, SLICE("key"), SLICE("old"), 5);
	(void)set_with_ttl(f, SLICE("other"), SLICE("o"), 0);
	advance_s(f, 6);
	cr_expect_eq(set(f, SLICE("key"), SLICE("new")), CACHE_OK);
	cr_expect(exists(f, SLICE("key")));
	cr_expect(exists(f, SLICE("other")));
	cr_expect_eq(stats(f).entry_count, 2);
	cr_expect_eq(stats(f).evictions, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, stale, eviction_takes_it_as_any_other)
{
	set_stale_ttl(f, 1000);
	set_policy(f, EVICT_LRU);
	set_capacity(f, 3);
	(void)set_with_ttl(f, SLICE("a"), SLICE("v"), 5);
	advance_s(f, 1);
	(void)set_with_ttl(f, SLICE("b"), SLICE("v"), 5);
	advance_s(f, 10);
	(void)set_with_ttl(f, SLICE("c"), SLICE("v"), 0);
	cr_expect_eq(look(f, SLICE("a")), STALE);
	advance_s(f, 1);
	(void)set(f, SLICE("d"), SLICE("v"));
	cr_expect_eq(stats(f).entry_count, 3);
	cr_expect_eq(stats(f).evictions, 1);
	cr_expect_eq(look(f, SLICE("a")), MISSING,
		     "the one that was not used for the longest time");
	cr_expect_eq(look(f, SLICE("b")), STALE);
}

/* Under every policy a set makes the entry the youngest, however old it was before. */
static void expect_to_be_youngest(struct fixture *f, enum eviction_policy policy)
{
	clear(f, SLICE(""));
	set_policy(f, policy);
	(void)set_with_ttl(f, SLICE("again"), SLICE("v"), 5);
	advance_s(f, 1);
	(void)set(f, SLICE("older"), SLICE("v"));
	advance_s(f, 1);
	(void)set(f, SLICE("younger"), SLICE("v"));
	advance_s(f, 10);
	cr_expect_eq(look(f, SLICE("again")), STALE);
	(void)set(f, SLICE("again"), SLICE("v"));
	advance_s(f, 1);
	(void)set(f, SLICE("new"), SLICE("v"));
	cr_expect(exists(f, SLICE("again")), "%s", eviction_policy_name(policy));
	cr_expect_not(exists(f, SLICE("older")), "%s", eviction_policy_name(policy));
	cr_expect(exists(f, SLICE("younger")), "%s", eviction_policy_name(policy));
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, stale, set_gives_it_a_new_place_in_the_order)
{
	set_stale_ttl(f, 1000);
	set_capacity(f, 3);
	expect_to_be_youngest(f, EVICT_FIFO);
	expect_to_be_youngest(f, EVICT_LRU);
	expect_to_be_youngest(f, EVICT_FRECENCY);
	expect_to_be_youngest(f, EVICT_FIFO);
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, delete_removes_it_as_one_that_is_not_there)
{
	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 5);
	advance_s(f, 6);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	cr_expect_eq(delete_key(f, SLICE("key")), CACHE_NOT_FOUND);
	cr_expect_eq(look(f, SLICE("key")), MISSING);
	cr_expect_eq(stats(f).entry_count, 0);
	cr_expect_eq(stats(f).total_size_bytes, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_PREFIX_CLEAR, stale, clear_removes_it)
{
	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("a1"), SLICE("v"), 5);
	(void)set_with_ttl(f, SLICE("b1"), SLICE("v"), 5);
	advance_s(f, 6);
	clear(f, SLICE("a"));
	cr_expect_eq(look(f, SLICE("a1")), MISSING);
	cr_expect_eq(look(f, SLICE("b1")), STALE);
	clear(f, SLICE(""));
	cr_expect_eq(look(f, SLICE("b1")), MISSING);
	cr_expect_eq(stats(f).entry_count, 0);
	(void)set_with_ttl(f, SLICE("a1"), SLICE("w"), 5);
	advance_s(f, 6);
	cr_expect_eq(look(f, SLICE("a1")), STALE, "the setting stays");
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, hits_are_counted_and_used)
{
	if (f->is_tiered)
		return; /* what it hides is tested elsewhere */
	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 5);
	use(f, SLICE("key"), 1);
	advance_s(f, 6);
	cr_expect_eq(get_stale(f, SLICE("key"), false), STALE);
	cr_expect_eq(get_stale(f, SLICE("key"), false), STALE);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	cr_expect_null(get(f, SLICE("key")), "who does not ask for it gets nothing");

	struct namespace_stats now = stats(f);
	cr_expect_eq(now.hits, 3);
	cr_expect_eq(now.stale_hits, 2);
	cr_expect_eq(now.misses, 1);
	if (f->bits & BACKEND_USES)
		cr_expect_eq(now.max_frequency, 4);
	cr_expect_eq(now.expirations, 0);
}

CONTRACT_TEST(stale, batch_get_may_ask_for_it)
{
	struct cache_item items[3] = {
		{.key = SLICE("stale")}, {.key = SLICE("live")}, {.key = SLICE("absent")}};
	struct cache_op op;

	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("stale"), SLICE("1"), 5);
	(void)set_with_ttl(f, SLICE("live"), SLICE("2"), 50);
	advance_s(f, 6);
	for (int asks = 0; asks < 2; asks++) {
		cache_op_init(&op, CACHE_OP_GET);
		op.ns = NS;
		op.items = items;
		op.item_count = 3;
		op.serve_stale = asks == 1;
		cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
		cr_expect_eq(items[0].status, asks ? CACHE_OK : CACHE_NOT_FOUND);
		cr_expect_eq(items[0].stale, asks == 1);
		cr_expect_eq(items[1].status, CACHE_OK);
		cr_expect_not(items[1].stale);
		cr_expect_eq(items[2].status, CACHE_NOT_FOUND);
		cr_expect_not(items[2].stale);
		cache_op_deinit(&op);
	}
}

/* Waits until `count` entries have expired and the background has removed them. */
static void await_expirations(struct fixture *f, unsigned count)
{
	unsigned waited_ms = 0;

	while (stats(f).expirations < count && wait_a_moment(&waited_ms))
		;
	cr_expect_eq(stats(f).expirations, count);
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, sweep_takes_what_is_beyond_its_stale_time_only)
{
	const unsigned count = rounds_of(f, 2000, 320); /* even if it is divided */

	set_stale_ttl(f, 100);
	for (unsigned i = 0; i < count; i++)
		(void)set_with_ttl(f, text("%u", i), SLICE("v"), i % 2 ? 10 : 50);
	(void)set(f, SLICE("stays"), SLICE("v"));
	advance_s(f, 109);
	(void)set(f, SLICE("stirs"), SLICE("v"));
	cr_expect_eq(stats(f).expirations, 0);
	advance_s(f, 1);
	(void)set(f, SLICE("stirs"), SLICE("v"));
	await_expirations(f, count / 2);
	cr_expect_eq(stats(f).entry_count, count / 2 + 2);
	cr_expect_eq(look(f, SLICE("0")), STALE);
	cr_expect_eq(look(f, SLICE("1")), MISSING);
	advance_s(f, 40);
	await_expirations(f, count);
	cr_expect_eq(stats(f).entry_count, 2);
	cr_expect_eq(stats(f).total_size_bytes, 2);
}

static void configure_other(struct fixture *f, struct slice ns, int64_t stale_ttl_s)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = ns;
	op.settings.stale_ttl_s = stale_ttl_s;
	op.settings_mask = SETTING_STALE_TTL;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, namespaces_are_swept_by_their_own_times)
{
	static const int64_t stale_ttls_s[] = {0, 30, 60, 60};
	unsigned waited_ms = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct cache_item item = item_of(SLICE("key"), SLICE("v"));

		configure_other(f, text("ns%u", i), stale_ttls_s[i]);
		item.ttl_s = 10;
		(void)set_item(f, text("ns%u", i), &item);
	}
	for (int64_t at_s = 10; at_s <= 70; at_s += 10) {
		advance_s(f, 10);
		for (unsigned i = 0; i < 4; i++) {
			bool kept = at_s < 10 + stale_ttls_s[i];

			while (!kept && stats_of(f, text("ns%u", i)).entry_count > 0 &&
			       wait_a_moment(&waited_ms))
				;
			cr_expect_eq(stats_of(f, text("ns%u", i)).entry_count, kept,
				     "ns%u after %d s", i, (int)at_s);
		}
	}
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, shorter_time_lets_the_sweep_take_more)
{
	set_stale_ttl(f, 1000);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	(void)set_with_ttl(f, SLICE("later"), SLICE("v"), 100);
	advance_s(f, 110);
	(void)stats(f);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	set_stale_ttl(f, 50);
	cr_expect_eq(look(f, SLICE("key")), MISSING);
	cr_expect_eq(look(f, SLICE("later")), STALE);
	await_expirations(f, 1);
	cr_expect_eq(stats(f).entry_count, 1);
	set_stale_ttl(f, 0);
	cr_expect_eq(look(f, SLICE("later")), MISSING);
	await_expirations(f, 2);
	cr_expect_eq(stats(f).entry_count, 0);
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, longer_time_holds_for_what_is_there)
{
	set_stale_ttl(f, 20);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_s(f, 15);
	set_stale_ttl(f, 1000);
	advance_s(f, 500);
	(void)stats(f);
	cr_expect_eq(look(f, SLICE("key")), STALE);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_PREFIX_CLEAR, stale,
		 clearing_and_sweeping_in_one_go_keep_the_accounts)
{
	const unsigned count = rounds_of(f, 500, 100);

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < count; i++)
			(void)set_with_ttl(f, text("%u", i), SLICE("v"), 1);
		advance_s(f, 2);
		clear(f, SLICE(""));
		cr_expect_eq(stats(f).entry_count, 0);
		cr_expect_eq(stats(f).total_size_bytes, 0);
	}
}

CONTRACT_TEST(stale, longest_times_work)
{
	set_stale_ttl(f, TTL_MAX_S);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), TTL_MAX_S);
	advance_us(f, 2 * TTL_MAX_S * US_PER_S - 1);
	cr_expect_eq(look(f, SLICE("key")), STALE);
	advance_us(f, 1);
	cr_expect_eq(look(f, SLICE("key")), MISSING);
}

CONTRACT_TEST_OF(BACKEND_STATS, stale, setting_and_entries_outlive_the_backend)
{
	set_stale_ttl(f, 100);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	advance_s(f, 11);
	cr_expect_eq(stats(f).settings.stale_ttl_s, 100);
	fixture_reopen(f);
	cr_expect_eq(stats(f).settings.stale_ttl_s, f->persists ? 100 : 0);
	cr_expect_eq(look(f, SLICE("key")), f->persists ? STALE : MISSING);
	if (!f->persists)
		return;
	advance_s(f, 99);
	cr_expect_eq(look(f, SLICE("key")), MISSING);
}
