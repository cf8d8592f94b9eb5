/* max_idle: entries that nobody uses for so long are gone, as those that have expired are. */
#define CONTRACT_NEEDS BACKEND_IDLE
#include <stdio.h>

#include "tests/contract/support.h"

static void set_max_idle(struct fixture *f, int64_t max_idle_s)
{
	struct namespace_settings settings = {.max_idle_s = max_idle_s};

	cr_assert_eq(configure(f, SETTING_MAX_IDLE, settings), CACHE_OK);
}

/* A near cache in front hides uses: what it does is tested elsewhere. */
static bool hides_uses(const struct fixture *f)
{
	return f->is_tiered;
}

/* The time is over. The D1 Worker gives each of many uses at one moment a microsecond of its own.
 */
static void pass_it(struct fixture *f)
{
	advance_us(f, f->is_remote ? 1000 : 1);
}

CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, idle, is_gone_for_every_operation)
{
	struct cache_condition absent = {.kind = CONDITION_ABSENT};
	struct cache_op op;

	if (hides_uses(f))
		return;
	set_max_idle(f, 10);
	for (int key = 'a'; key <= 'f'; key++)
		(void)set(f, text("%c", key), SLICE("v"));
	advance_us(f, 10 * US_PER_S - 1);
	cr_expect(exists(f, SLICE("a")));
	cr_expect(holds(f, SLICE("a"), SLICE("v")));
	scan(f, &op, SLICE(""), NULL, 10);
	cr_expect_eq(op.entry_count, 6);
	cache_op_deinit(&op);
	pass_it(f);
	cr_expect_not(exists(f, SLICE("a")));
	cr_expect_null(get_untouched(f, SLICE("b")));
	cr_expect_null(get(f, SLICE("c")));
	cr_expect_eq(delete_key(f, SLICE("d")), CACHE_NOT_FOUND);
	scan(f, &op, SLICE(""), NULL, 10);
	cr_expect_eq(op.entry_count, 0);
	cr_expect(op.complete);
	cache_op_deinit(&op);
	if (f->bits & BACKEND_CONDITIONS)
		cr_expect_eq(set_if(f, SLICE("e"), SLICE("w"), absent), CACHE_OK);
	struct cache_item item = item_of(SLICE("f"), SLICE("w"));
	cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect(item.created);
	cr_expect(holds(f, SLICE("f"), SLICE("w")));
}

CONTRACT_TEST_OF(BACKEND_USES, idle, begins_anew_with_each_use)
{
	if (hides_uses(f))
		return;
	set_max_idle(f, 10);
	(void)set(f, SLICE("got"), SLICE("v"));
	(void)set(f, SLICE("set"), SLICE("v"));
	(void)set(f, SLICE("seen"), SLICE("v"));
	for (unsigned i = 0; i < 5; i++) {
		advance_s(f, 6);
		use(f, SLICE("got"), 1);
		(void)set(f, SLICE("set"), SLICE("v"));
		if (i == 0)
			cr_expect(exists(f, SLICE("seen")));
		if (i == 0)
			cr_expect(holds(f, SLICE("seen"), SLICE("v")), "without a use");
	}
	cr_expect_not(exists(f, SLICE("seen")));
	advance_us(f, 10 * US_PER_S - 1);
	cr_expect(exists(f, SLICE("got")));
	cr_expect(exists(f, SLICE("set")));
	pass_it(f);
	cr_expect_not(exists(f, SLICE("got")));
	cr_expect_not(exists(f, SLICE("set")));
}

static void expire(struct fixture *f, struct slice key, int64_t ttl_s)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_EXPIRE);
	op.ns = NS;
	op.one.key = key;
	op.one.ttl_s = ttl_s;
	cr_expect_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
}

CONTRACT_TEST(idle, and_the_time_to_live_each_end_an_entry)
{
	if (hides_uses(f) || !knows_expire(f))
		return;
	set_max_idle(f, 10);
	(void)set_with_ttl(f, SLICE("short"), SLICE("v"), 5);
	(void)set_with_ttl(f, SLICE("long"), SLICE("v"), 100);
	(void)set(f, SLICE("never"), SLICE("v"));
	advance_s(f, 5);
	cr_expect_not(exists(f, SLICE("short")));
	expire(f, SLICE("never"), 1000);
	advance_us(f, 5 * US_PER_S - 1);
	cr_expect(exists(f, SLICE("long")));
	cr_expect(exists(f, SLICE("never")));
	pass_it(f);
	cr_expect_not(exists(f, SLICE("long")));
	cr_expect_not(exists(f, SLICE("never")), "another time to live is no use");
}

CONTRACT_TEST_OF(BACKEND_STALE, idle, entry_is_not_served_as_stale)
{
	struct namespace_settings settings = {.max_idle_s = 20, .stale_ttl_s = 1000};
	struct cache_op op;

	if (hides_uses(f))
		return;
	cr_assert_eq(configure(f, SETTING_MAX_IDLE | SETTING_STALE_TTL, settings), CACHE_OK);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 10);
	for (int i = 0; i < 2; i++) {
		advance_s(f, i ? 9 : 11);
		cache_op_init(&op, CACHE_OP_GET);
		op.ns = NS;
		op.one.key = SLICE("key");
		op.serve_stale = true;
		op.no_touch = true;
		cr_expect_eq(backend_call(f->backend, &op), i ? CACHE_NOT_FOUND : CACHE_OK, "%d",
			     i);
		cache_op_deinit(&op);
	}
}

/* Waits until `count` entries are gone and the background has removed them. */
static void await_expirations(struct fixture *f, unsigned count)
{
	unsigned waited_ms = 0;

	while (stats(f).expirations < count && wait_a_moment(&waited_ms))
		;
	cr_expect_eq(stats(f).expirations, count);
}

/* Under each policy: some keep a list by last access, and some do not. */
static void expect_sweep(struct fixture *f, enum eviction_policy policy, const char *prefix,
			 unsigned *expired)
{
	const unsigned count = rounds_of(f, 500, 60);

	set_policy(f, policy);
	for (unsigned i = 0; i < count; i++)
		(void)set(f, text("%s/%u", prefix, i), SLICE("v"));
	advance_s(f, 6);
	for (unsigned i = 0; i < count; i += 2)
		use(f, text("%s/%u", prefix, i), 1 + i % 3);
	advance_s(f, 4);
	pass_it(f);
	*expired += count / 2;
	await_expirations(f, *expired);
	cr_expect_eq(stats(f).entry_count, count - count / 2, "%s", prefix);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(exists(f, text("%s/%u", prefix, i)), i % 2 == 0, "%s %u", prefix, i);
	advance_s(f, 7); /* uses of one moment may be microseconds apart */
	*expired += count - count / 2;
	await_expirations(f, *expired);
	cr_expect_eq(stats(f).entry_count, 0);
	cr_expect_eq(stats(f).evictions, 0);
}

CONTRACT_TEST_OF(BACKEND_USES | BACKEND_STATS | BACKEND_EXACT_EVICTION, idle,
		 entries_are_swept_and_counted)
{
	unsigned expired = 0;

	if (hides_uses(f))
		return;
	set_max_idle(f, 10);
	for (int policy = EVICT_FRECENCY; policy <= EVICT_NONE; policy++)
		expect_sweep(f, (enum eviction_policy)policy,
			     eviction_policy_name((enum eviction_policy)policy), &expired);
}

CONTRACT_TEST_OF(BACKEND_STATS, idle, time_that_is_set_later_holds_for_what_is_there)
{
	if (hides_uses(f))
		return;
	(void)set(f, SLICE("a"), SLICE("v"));
	advance_s(f, 100);
	(void)set(f, SLICE("b"), SLICE("v"));
	advance_s(f, 20);
	set_max_idle(f, 50);
	cr_expect_not(exists(f, SLICE("a")));
	cr_expect(exists(f, SLICE("b")));
	await_expirations(f, 1);
	set_max_idle(f, 1000);
	advance_s(f, 100);
	cr_expect(exists(f, SLICE("b")));
	set_max_idle(f, 30);
	cr_expect_not(exists(f, SLICE("b")), "a shorter one takes effect at once");
	await_expirations(f, 2);
	(void)set(f, SLICE("c"), SLICE("v"));
	set_max_idle(f, 0);
	advance_s(f, 100000);
	cr_expect(exists(f, SLICE("c")));
	cr_expect_eq(stats(f).entry_count, 1);
	cr_expect_eq(stats(f).settings.max_idle_s, 0);
}

CONTRACT_TEST_OF(BACKEND_HISTORY | BACKEND_STATS, idle, goes_by_the_history_of_an_import)
{
	struct cache_history history = {.frequency = 5,
					.last_access_us = START_US - 20 * US_PER_S,
					.expires_at_us = HISTORY_TTL};

	if (hides_uses(f))
		return;
	struct cache_item item = item_of(SLICE("old"), SLICE("v"));
	set_max_idle(f, 30);
	item.history = &history;
	cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
	(void)set(f, SLICE("new"), SLICE("v"));
	cr_expect(exists(f, SLICE("old")));
	advance_s(f, 10);
	cr_expect_not(exists(f, SLICE("old")));
	cr_expect(exists(f, SLICE("new")));
	await_expirations(f, 1);
	/* It takes an entry back in time that was used since. */
	item = item_of(SLICE("new"), SLICE("w"));
	item.history = &history;
	cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect_not(exists(f, SLICE("new")));
	await_expirations(f, 2);
}

CONTRACT_TEST_OF(BACKEND_USES | BACKEND_EXACT_EVICTION, idle, entries_make_room_before_others)
{
	if (hides_uses(f))
		return;
	set_policy(f, EVICT_FIFO);
	set_capacity(f, 3);
	set_max_idle(f, 10);
	(void)set(f, SLICE("used"), SLICE("v"));
	(void)set(f, SLICE("idle"), SLICE("v"));
	(void)set(f, SLICE("too"), SLICE("v"));
	advance_s(f, 9);
	use(f, SLICE("used"), 1);
	advance_s(f, 1);
	pass_it(f);
	(void)set(f, SLICE("new"), SLICE("v"));
	cr_expect(exists(f, SLICE("used")), "the oldest, but in use");
	cr_expect(exists(f, SLICE("new")));
	cr_expect_eq(stats(f).evictions, 0);
}

CONTRACT_TEST_OF(BACKEND_USES | BACKEND_STATS, idle, time_and_uses_outlive_the_backend)
{
	if (hides_uses(f) || !f->persists)
		return;
	set_max_idle(f, 10);
	(void)set(f, SLICE("used"), SLICE("v"));
	(void)set(f, SLICE("idle"), SLICE("v"));
	advance_s(f, 6);
	use(f, SLICE("used"), 1);
	fixture_reopen(f);
	cr_expect_eq(stats(f).settings.max_idle_s, 10);
	advance_s(f, 5);
	cr_expect(exists(f, SLICE("used")));
	cr_expect_not(exists(f, SLICE("idle")));
	await_expirations(f, 1);
	advance_s(f, 5);
	cr_expect_not(exists(f, SLICE("used")));
	await_expirations(f, 2);
}

CONTRACT_TEST_OF(BACKEND_USES | BACKEND_ORDERED_SCAN, idle, entries_are_left_out_of_long_listings)
{
	const unsigned count = rounds_of(f, 300, 60);
	unsigned listed = 0;
	char last[32] = "";
	bool complete = false;

	if (hides_uses(f))
		return;
	set_max_idle(f, 10);
	for (unsigned i = 0; i < count; i++)
		(void)set(f, text("%05u", i), SLICE("v"));
	advance_s(f, 6);
	for (unsigned i = 0; i < count; i += 10)
		use(f, text("%05u", i), 1);
	advance_s(f, 4);
	pass_it(f);
	while (!complete) {
		struct slice after = slice_of(last);
		struct cache_op op;

		scan(f, &op, SLICE(""), last[0] ? &after : NULL, 3);
		for (size_t i = 0; i < op.entry_count; i++, listed++)
			cr_assert(slice_equal(op.entries[i].key, text("%05u", listed * 10)));
		cr_assert(op.complete || op.entry_count > 0);
		complete = op.complete;
		if (!complete)
			(void)snprintf(last, sizeof(last), "%.*s",
				       (int)op.entries[op.entry_count - 1].key.len,
				       op.entries[op.entry_count - 1].key.data);
		cache_op_deinit(&op);
	}
	cr_expect_eq(listed, (count + 9) / 10);
}
