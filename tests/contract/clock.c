/* Clocks that are set back, and times in the future: the order of eviction continues. */
#include "tests/contract/support.h"

#define HOUR_S      INT64_C(3600)
#define CAPACITY    8
#define YEAR_2100_S INT64_C(4102444800)

static const enum eviction_policy policies[] = {EVICT_FIFO, EVICT_LRU, EVICT_FRECENCY};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static void begin(struct fixture *f, enum eviction_policy policy)
{
	clear(f, SLICE(""));
	set_policy(f, policy);
	set_capacity(f, CAPACITY);
}

/* Sets entries name0, name1 ..., a second apart. */
static void set_some(struct fixture *f, const char *name, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		cr_assert_eq(set(f, text("%s%u", name, i), SLICE("v")), CACHE_OK);
		advance_s(f, 1);
	}
}

static unsigned count_of(struct fixture *f, const char *name)
{
	unsigned count = 0;

	for (unsigned i = 0; i < CAPACITY; i++)
		count += exists(f, text("%s%u", name, i));
	return count;
}

/* What was set first goes first, though everything set later is older by the clock. */
static void expect_old_ones_to_go(struct fixture *f, enum eviction_policy policy)
{
	for (unsigned i = 0; i < CAPACITY; i++) {
		cr_assert_eq(set(f, text("new%u", i), SLICE("v")), CACHE_OK);
		advance_s(f, 1);
		cr_expect_eq(count_of(f, "new"), i + 1, "%s: a new one went after %u",
			     eviction_policy_name(policy), i + 1);
	}
	cr_expect_eq(count_of(f, "old"), 0, "%s: old ones stay", eviction_policy_name(policy));
}

/* The near cache has a clock and entries of its own. */
static bool has_own_order(const struct fixture *f)
{
	return f->is_tiered;
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, clock, set_back_leaves_the_order_of_eviction)
{
	if (has_own_order(f))
		return;
	for (size_t i = 0; i < POLICIES; i++) {
		begin(f, policies[i]);
		set_some(f, "old", CAPACITY);
		advance_s(f, -HOUR_S);
		expect_old_ones_to_go(f, policies[i]);
	}
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, clock, set_back_lets_uses_count)
{
	if (has_own_order(f))
		return;
	begin(f, EVICT_LRU);
	set_some(f, "old", CAPACITY);
	use(f, SLICE("old1"), 1);
	advance_s(f, 1);
	use(f, SLICE("old2"), 1);
	advance_s(f, 1 - HOUR_S);
	use(f, SLICE("old0"), 1);
	advance_s(f, 1);
	set_some(f, "new", CAPACITY - 3);
	cr_expect_eq(count_of(f, "old"), 3, "those that were used");
	set_some(f, "x", 1);
	cr_expect_not(exists(f, SLICE("old1")));
	set_some(f, "y", 1);
	cr_expect_not(exists(f, SLICE("old2")));
	cr_expect(exists(f, SLICE("old0")), "it was used last");
}

/* The order also holds in the next process, which has not seen the former time. */
CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION, clock, set_back_before_a_start)
{
	if (has_own_order(f) || !f->persists)
		return;
	for (size_t i = 0; i < POLICIES; i++) {
		begin(f, policies[i]);
		set_some(f, "old", CAPACITY);
		advance_s(f, -HOUR_S);
		fixture_reopen(f);
		expect_old_ones_to_go(f, policies[i]);
		fixture_reopen(f);
		cr_expect_eq(count_of(f, "new"), CAPACITY);
		advance_s(f, 3 * HOUR_S);
	}
}

/* Times that are shown are never later than now, and those since the change are correct. */
CONTRACT_TEST_OF(BACKEND_ORDERED_SCAN, clock, set_back_is_not_seen_in_listings)
{
	struct cache_op op;

	if (has_own_order(f))
		return;
	(void)set(f, SLICE("a"), SLICE("v"));
	advance_s(f, -HOUR_S);
	(void)set(f, SLICE("b"), SLICE("v"));
	advance_s(f, 60);
	scan(f, &op, SLICE(""), NULL, 10);
	cr_assert_eq(op.entry_count, 2);
	cr_expect_eq(op.entries[0].created_at_us, f->now_us);
	cr_expect_eq(op.entries[0].last_access_us, f->now_us);
	/* The Worker shows no time later than now, and does not know by how much it was set
	 * back. */
	cr_expect_leq(op.entries[1].created_at_us, f->now_us - (f->is_remote ? 0 : 59) * US_PER_S);
	cr_expect_geq(op.entries[1].created_at_us, f->now_us - 61 * US_PER_S);
	cache_op_deinit(&op);
}

static void import_from_2100(struct fixture *f, struct slice key)
{
	static const struct cache_history history = {
		.frequency = 1,
		.created_at_us = YEAR_2100_S * US_PER_S,
		.last_access_us = YEAR_2100_S * US_PER_S,
		.expires_at_us = 2 * YEAR_2100_S * US_PER_S,
	};
	struct cache_item item = item_of(key, SLICE("v"));

	item.history = &history;
	cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
}

CONTRACT_TEST_OF(BACKEND_EXACT_EVICTION | BACKEND_ORDERED_SCAN | BACKEND_HISTORY, clock,
		 times_to_come_become_now)
{
	struct cache_op op;

	if (has_own_order(f))
		return;
	import_from_2100(f, SLICE("key"));
	scan(f, &op, SLICE(""), NULL, 10);
	cr_assert_eq(op.entry_count, 1);
	/* For the Worker that is the microsecond before (docs/export-import.md). */
	cr_expect_eq(op.entries[0].created_at_us, START_US - f->is_remote);
	cr_expect_eq(op.entries[0].last_access_us, START_US);
	cr_expect_eq(op.entries[0].expires_at_us, 2 * YEAR_2100_S * US_PER_S,
		     "an expiry is to come");
	cache_op_deinit(&op);
	for (size_t i = 0; i < POLICIES; i++) {
		begin(f, policies[i]);
		for (unsigned k = 0; k < CAPACITY; k++) {
			import_from_2100(f, text("old%u", k));
			advance_s(f, 1);
		}
		expect_old_ones_to_go(f, policies[i]);
	}
}

/* An expiry is a time of the wall clock: if that is set back, the expiry takes longer; what is gone
 * stays gone. */
CONTRACT_TEST_OF(BACKEND_STATS, clock, set_back_makes_entries_expire_later)
{
	unsigned waited_ms = 0;

	if (f->is_remote)
		return;
	(void)set_with_ttl(f, SLICE("gone"), SLICE("v"), 10);
	(void)set_with_ttl(f, SLICE("key"), SLICE("v"), 100);
	advance_s(f, 11);
	while (stats(f).expirations < 1 && wait_a_moment(&waited_ms))
		;
	advance_s(f, -HOUR_S);
	cr_expect_not(exists(f, SLICE("gone")));
	cr_expect(exists(f, SLICE("key")));
	(void)set_with_ttl(f, SLICE("new"), SLICE("v"), 100);
	advance_s(f, 100);
	cr_expect_not(exists(f, SLICE("new")), "its 100 s are over");
	cr_expect(exists(f, SLICE("key")));
	advance_s(f, HOUR_S);
	cr_expect_not(exists(f, SLICE("key")));
}
