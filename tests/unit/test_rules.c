/* What all backends decide alike (store/rules.h). */
#include <criterion/criterion.h>

#include "store/rules.h"

#define NOW_US INT64_C(1700000000000000)

static void wish(void *user, struct slice ns, struct namespace_settings *ret)
{
	cr_assert(slice_equal(ns, slice_of(user)));
	ret->max_size_bytes = 7;
	ret->stale_ttl_s = 9;
}

Test(rules, a_namespace_without_settings_has_those_of_its_backend)
{
	struct namespace_settings settings;

	rules_default_settings(&(struct backend_config){0}, EVICT_FIFO, SLICE("ns"), &settings);
	cr_expect_eq(settings.max_size_bytes, 100 << 20);
	cr_expect_eq(settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_eq(settings.default_ttl_s, 0);
	cr_expect_eq(settings.policy, EVICT_FIFO);
	cr_expect_eq(settings.stale_ttl_s, 0);
}

Test(rules, the_owner_changes_defaults_but_the_stale_time)
{
	const struct backend_config config = {.defaults = wish,
					      .defaults_user = (void *)(uintptr_t) "ns"};
	struct namespace_settings settings;

	rules_default_settings(&config, EVICT_LRU, SLICE("ns"), &settings);
	cr_expect_eq(settings.max_size_bytes, 7);
	cr_expect_eq(settings.policy, EVICT_LRU);
	cr_expect_eq(settings.stale_ttl_s, 0);
}

Test(rules, the_low_water_is_four_fifths_rounded_down)
{
	const uint64_t large[] = {UINT64_MAX,     UINT64_MAX - 1, UINT64_MAX - 2,
				  UINT64_MAX - 3, UINT64_MAX - 4, INT64_MAX};

	for (uint64_t max = 0; max < 2000; max++)
		cr_expect_eq(rules_low_water(max), max * 4 / 5, "%d", (int)max);
	for (unsigned i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		cr_expect_eq(rules_low_water(large[i]),
			     (uint64_t)((unsigned __int128)large[i] * 4 / 5));
}

Test(rules, a_history_beats_the_ttl_of_the_item_and_that_the_default)
{
	struct cache_history history = {.expires_at_us = HISTORY_TTL};
	struct cache_item item = {.ttl_s = TTL_DEFAULT};

	cr_expect_eq(rules_expiry_us(&item, 0, NOW_US), 0);
	cr_expect_eq(rules_expiry_us(&item, 5, NOW_US), NOW_US + 5 * US_PER_S);
	item.ttl_s = 0;
	cr_expect_eq(rules_expiry_us(&item, 5, NOW_US), 0, "0 is never, whatever the default");
	item.ttl_s = 3;
	cr_expect_eq(rules_expiry_us(&item, 5, NOW_US), NOW_US + 3 * US_PER_S);
	item.history = &history;
	cr_expect_eq(rules_expiry_us(&item, 5, NOW_US), NOW_US + 3 * US_PER_S);
	history.expires_at_us = 0;
	cr_expect_eq(rules_expiry_us(&item, 5, NOW_US), 0);
	history.expires_at_us = 42;
	cr_expect_eq(rules_expiry_us(&item, 5, NOW_US), 42);
}

Test(rules, an_entry_lives_until_the_microsecond_of_its_expiry)
{
	cr_expect(rules_is_live(0, NOW_US));
	cr_expect(rules_is_live(NOW_US + 1, NOW_US));
	cr_expect_not(rules_is_live(NOW_US, NOW_US));
	cr_expect(rules_is_kept(0, 0, NOW_US));
	cr_expect_not(rules_is_kept(NOW_US, 0, NOW_US));
	cr_expect(rules_is_kept(NOW_US - US_PER_S + 1, 1, NOW_US));
	cr_expect_not(rules_is_kept(NOW_US - US_PER_S, 1, NOW_US));
}

Test(rules, a_batch_has_no_conditions)
{
	struct cache_item items[2] = {{.condition.kind = CONDITION_ABSENT}};
	struct cache_op op = {.items = items, .item_count = 1};
	struct etag etag = {0};

	cr_expect(rules_condition_holds(&op, NULL));
	cr_expect_not(rules_condition_holds(&op, &etag));
	op.item_count = 2;
	cr_expect(rules_condition_holds(&op, &etag));
	op.item_count = 1;
	items[0].condition.kind = CONDITION_NONE;
	cr_expect(rules_condition_holds(&op, &etag));
}

static void note_done(struct cache_op *op)
{
	op->user = op;
}

Test(rules, of_one_item_the_status_is_the_operations)
{
	struct cache_item items[2] = {{.status = CACHE_NOT_FOUND}, {.status = CACHE_OK}};
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_DELETE);
	op.done = note_done;
	op.one.status = CACHE_NOT_FOUND;
	rules_complete_items(&op);
	cr_expect_eq(op.status, CACHE_NOT_FOUND);
	cr_expect_eq(op.user, &op);

	op.items = items;
	op.item_count = 2;
	rules_complete_items(&op);
	cr_expect_eq(op.status, CACHE_OK);
	op.item_count = 1;
	cr_expect_eq(rules_status_of_items(&op), CACHE_OK, "a batch of one is a batch");
	items[0].status = CACHE_PRECONDITION_FAILED;
	cr_expect_eq(rules_status_of_items(&op), CACHE_PRECONDITION_FAILED);
}
