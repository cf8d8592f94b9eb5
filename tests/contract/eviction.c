/* Which entry is evicted, and when: every policy against a model that computes it the slow way. */
#define CONTRACT_NEEDS (BACKEND_STATS | BACKEND_EXACT_EVICTION)
#include "tests/contract/support.h"

#define KEYS 120

/* The namespace as an array; finds the victim by looking at every entry. */
struct model {
	struct {
		bool exists;
		uint64_t size, frequency, created;
		int64_t last_access_us;
	} entries[KEYS];
	enum eviction_policy policy;
	uint64_t max_size, low_water, capacity;
	uint64_t total, count, creations, evictions;
};

static bool goes_before(const struct model *model, size_t a, size_t b, int64_t now_us)
{
	unsigned __int128 score_a = model->entries[a].frequency;
	unsigned __int128 score_b = model->entries[b].frequency;
	int64_t last_a = model->entries[a].last_access_us;
	int64_t last_b = model->entries[b].last_access_us;

	/* Both scores multiplied by both denominators. */
	score_a *= (uint64_t)(US_PER_S + now_us - last_b);
	score_b *= (uint64_t)(US_PER_S + now_us - last_a);
	if (model->policy == EVICT_FRECENCY && score_a != score_b)
		return score_a < score_b;
	if (model->policy != EVICT_FIFO && last_a != last_b)
		return last_a < last_b;
	return model->entries[a].created < model->entries[b].created;
}

static void model_evict(struct model *model, size_t spared, int64_t now_us)
{
	size_t victim = KEYS;

	for (size_t i = 0; i < KEYS; i++)
		if (model->entries[i].exists && i != spared &&
		    (victim == KEYS || goes_before(model, i, victim, now_us)))
			victim = i;
	cr_assert_lt(victim, KEYS);
	model->entries[victim].exists = false;
	model->total -= model->entries[victim].size;
	model->count--;
	model->evictions++;
}

static enum cache_status model_set(struct model *model, size_t key, uint64_t size, int64_t now_us)
{
	bool old = model->entries[key].exists;
	uint64_t replaced = old ? model->entries[key].size : 0;

	if (size > model->max_size) /* `size` is what the entry counts */
		return CACHE_TOO_LARGE;
	if (model->total - replaced + size > model->max_size)
		while (model->count > old && model->total - replaced + size > model->low_water)
			model_evict(model, key, now_us);
	while (model->count + !old > model->capacity)
		model_evict(model, key, now_us);
	if (!old) {
		model->entries[key].frequency = 0;
		model->entries[key].created = model->creations++;
		model->count++;
	}
	model->entries[key].exists = true;
	model->entries[key].size = size;
	model->entries[key].frequency++;
	model->entries[key].last_access_us = now_us;
	model->total += size - replaced;
	return CACHE_OK;
}

static void expect_same(struct fixture *f, const struct model *model, const char *after)
{
	struct namespace_stats now = stats(f);
	uint64_t frequency_sum = 0;
	uint64_t max_frequency = 0;

	cr_assert_eq(now.entry_count, model->count, "%s", after);
	cr_assert_eq(now.used_bytes, model->total, "%s", after);
	cr_assert_eq(now.evictions, model->evictions, "%s", after);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(exists(f, text("%zu", i)), model->entries[i].exists, "%s: key %zu",
			     after, i);
		if (!model->entries[i].exists)
			continue;
		frequency_sum += model->entries[i].frequency;
		if (max_frequency < model->entries[i].frequency)
			max_frequency = model->entries[i].frequency;
	}
	cr_assert_eq(now.max_frequency, max_frequency, "%s", after);
	if (model->count > 0)
		cr_assert_float_eq(now.avg_frequency, (double)frequency_sum / (double)model->count,
				   1e-9);
}

/* Low numbers are more frequent. */
static size_t random_key(uint64_t *random)
{
	return (size_t)(next_random(random) % KEYS) * (next_random(random) % KEYS) / KEYS;
}

static void run_workload(struct fixture *f, struct model *model, uint64_t seed, unsigned steps)
{
	for (unsigned step = 0; step < steps; step++) {
		size_t key = random_key(&seed);
		unsigned dice = next_random(&seed) % 100;
		uint64_t size = 180 + next_random(&seed) % (dice < 5 ? 11000 : 1200);

		/* Odd numbers of microseconds: no two scores are ever equal. */
		advance_us(f, 1 + next_random(&seed) % 1999993);
		int64_t now_us = atomic_load(&f->now_us);
		if (dice < 45) {
			enum cache_status expected = model_set(model, key, size, now_us);

			cr_assert_eq(set_used(f, text("%zu", key), size), expected);
			if (!f->is_remote || step % 16 == 0)
				expect_same(f, model, text("set %zu in step %u", key, step).data);
		} else if (dice < 95) {
			struct cache_value *value = get(f, text("%zu", key));

			cr_assert_eq(value != NULL, model->entries[key].exists);
			cache_value_release(value);
			if (model->entries[key].exists) {
				model->entries[key].frequency++;
				model->entries[key].last_access_us = now_us;
			}
		} else {
			cr_assert_eq(delete_key(f, text("%zu", key)) == CACHE_OK,
				     model->entries[key].exists);
			if (model->entries[key].exists) {
				model->total -= model->entries[key].size;
				model->count--;
				model->entries[key].exists = false;
			}
		}
	}
	expect_same(f, model, "the last step");
}

static void compare_with_model(struct fixture *f, enum eviction_policy policy, uint64_t max_size,
			       int64_t capacity)
{
	struct namespace_settings settings = {
		.max_size_bytes = max_size,
		.capacity = capacity,
		.policy = policy,
	};
	struct model model = {
		.policy = policy,
		.max_size = max_size ? max_size : UINT64_MAX,
		.low_water = max_size * 4 / 5,
		.capacity = capacity >= 0 ? (uint64_t)capacity : UINT64_MAX,
	};

	cr_assert_eq(configure(f, SETTING_POLICY | SETTING_CAPACITY | SETTING_MAX_SIZE, settings),
		     CACHE_OK);
	run_workload(f, &model, 1234567 + (uint64_t)policy, rounds_of(f, 3000, 500));
	cr_expect_gt(model.evictions, f->is_remote ? 5 : 20);
}

CONTRACT_TEST(eviction, frecency_by_size_is_exact)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_FRECENCY, 10003, CAPACITY_UNLIMITED);
}

CONTRACT_TEST(eviction, frecency_by_capacity_is_exact)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_FRECENCY, 0, 25);
}

CONTRACT_TEST(eviction, lru_by_size_is_exact)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_LRU, 10004, CAPACITY_UNLIMITED);
}

CONTRACT_TEST(eviction, lru_by_capacity_is_exact)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_LRU, 0, 25);
}

CONTRACT_TEST(eviction, fifo_by_size_is_exact)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_FIFO, 10000, CAPACITY_UNLIMITED);
}

CONTRACT_TEST(eviction, fifo_by_capacity_is_exact)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_FIFO, 0, 25);
}

CONTRACT_TEST_OF(BACKEND_HISTORY, eviction, both_limits_hold_together)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	compare_with_model(f, EVICT_FRECENCY, 15000, 30);
}

/* A change of policy at run time: the new policy's order applies to the same history. */
CONTRACT_TEST(eviction, policy_changes_at_run_time)
{
	if (f->is_tiered)
		return; /* hits in the near cache are no uses of the backend */
	static const enum eviction_policy policies[] = {EVICT_LRU, EVICT_FRECENCY, EVICT_FIFO,
							EVICT_FRECENCY, EVICT_LRU};
	struct namespace_settings settings = {.max_size_bytes = 20000};
	struct model model = {
		.max_size = 20000,
		.low_water = 16000,
		.capacity = UINT64_MAX,
	};

	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
		settings.policy = policies[i];
		cr_assert_eq(configure(f, SETTING_POLICY | SETTING_MAX_SIZE, settings), CACHE_OK);
		model.policy = policies[i];
		run_workload(f, &model, 99 + i, rounds_of(f, 600, 150));
	}
}

/* ---- One by one ---- */

CONTRACT_TEST(eviction, goes_down_to_four_fifths)
{
	set_policy(f, EVICT_FIFO);
	set_max_size(f, 20000);
	for (unsigned i = 0; i < 100; i++) {
		(void)set_used(f, text("%u", i), 200);
		advance_us(f, 1);
	}
	cr_expect_eq(stats(f).entry_count, 100, "exactly full is not over");
	(void)set_used(f, SLICE("new"), 200);
	cr_expect_eq(stats(f).used_bytes, 16000);
	cr_expect_eq(stats(f).evictions, 21);
}

CONTRACT_TEST(eviction, overwrite_counts_only_the_difference)
{
	set_max_size(f, 10000);
	(void)set_used(f, SLICE("a"), 4000);
	(void)set_used(f, SLICE("b"), 6000);
	cr_expect_eq(set_used(f, SLICE("b"), 6000), CACHE_OK);
	cr_expect_eq(set_used(f, SLICE("b"), 5000), CACHE_OK);
	cr_expect_eq(set_used(f, SLICE("a"), 5000), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, 2);
	cr_expect_eq(stats(f).evictions, 0);
}

CONTRACT_TEST(eviction, overwritten_entry_is_never_the_victim)
{
	for (enum eviction_policy policy = EVICT_FRECENCY; policy <= EVICT_FIFO; policy++) {
		set_policy(f, policy);
		set_max_size(f, 10000);
		clear(f, SLICE(""));
		(void)set_used(f, SLICE("lowest"), 1000);
		advance_s(f, 100);
		for (unsigned i = 0; i < 9; i++)
			(void)set_used(f, text("%u", i), 1000);
		struct cache_item item = item_of(SLICE("lowest"), SLICE("v"));
		item.size_bytes = size_using(SLICE("lowest"), 3000);
		cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
		cr_expect_not(item.created, "%s", eviction_policy_name(policy));
		cr_expect(exists(f, SLICE("lowest")));
		cr_expect_eq(stats(f).used_bytes, 8000);
		cr_expect_eq(stats(f).max_frequency, 2);
	}
}

CONTRACT_TEST(eviction, large_lowest_entry_goes_and_the_limit_holds)
{
	set_policy(f, EVICT_FRECENCY);
	set_max_size(f, 10000);
	(void)set_used(f, SLICE("large"), 9000);
	advance_s(f, 100);
	(void)set_used(f, SLICE("small"), 500);
	(void)set_used(f, SLICE("new"), 1000);
	cr_expect_not(exists(f, SLICE("large")));
	cr_expect(exists(f, SLICE("small")));
	cr_expect_eq(stats(f).used_bytes, 1500);
}

CONTRACT_TEST(eviction, item_over_the_whole_limit_is_refused_and_nothing_lost)
{
	set_max_size(f, 10000);
	for (unsigned i = 0; i < 10; i++)
		(void)set_used(f, text("%u", i), 1000);
	cr_expect_eq(set_used(f, SLICE("new"), 10001), CACHE_TOO_LARGE);
	cr_expect_eq(set_used(f, SLICE("0"), 10001), CACHE_TOO_LARGE);
	cr_expect_eq(stats(f).entry_count, 10);
	cr_expect_eq(set_used(f, SLICE("new"), 10000), CACHE_OK, "just the limit fits");
	cr_expect_eq(stats(f).entry_count, 1);
}

CONTRACT_TEST(eviction, size_is_never_less_than_the_value)
{
	struct slice bytes = make_bytes(200, 1);

	set_max_size(f, 2000);
	for (unsigned i = 0; i < 20; i++) {
		struct cache_item item = item_of(text("%02u", i), bytes);

		item.size_bytes = 0;
		cr_assert_eq(set_item(f, NS, &item), CACHE_OK);
		cr_assert_leq(stats(f).used_bytes, 2000);
		cr_assert_eq(stats(f).total_size_bytes, stats(f).entry_count * 200);
		cr_assert_eq(stats(f).used_bytes, stats(f).entry_count * used_by(SLICE("00"), 200));
	}
	free_bytes(bytes);
}

CONTRACT_TEST(eviction, one_set_evicts_thousands)
{
	const unsigned count = rounds_of(f, 20000, 3000);

	set_max_size(f, 200 * count);
	for (unsigned i = 0; i < count; i++)
		cr_assert_eq(set_used(f, text("%u", i), 200), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, count);
	cr_expect_eq(set_used(f, SLICE("new"), 200 * count), CACHE_OK);
	struct namespace_stats now = stats(f);
	cr_expect_eq(now.entry_count, 1);
	cr_expect_eq(now.evictions, count);
	cr_expect(exists(f, SLICE("new")));
	cr_expect_eq(set_used(f, SLICE("next"), 200), CACHE_OK, "and it goes on");
}

CONTRACT_TEST(eviction, none_refuses_what_does_not_fit)
{
	set_policy(f, EVICT_NONE);
	set_max_size(f, 10000);
	(void)set_used(f, SLICE("a"), 6000);
	cr_expect_eq(set_used(f, SLICE("b"), 4001), CACHE_NO_SPACE);
	cr_expect_eq(set_used(f, SLICE("a"), 10001), CACHE_TOO_LARGE);
	cr_expect_eq(set_used(f, SLICE("b"), 4000), CACHE_OK);
	cr_expect_eq(set_used(f, SLICE("a"), 6001), CACHE_NO_SPACE);
	cr_expect_eq(set_used(f, SLICE("a"), 5000), CACHE_OK);
	cr_expect_eq(stats(f).evictions, 0);
	set_capacity(f, 2);
	cr_expect_eq(set_used(f, SLICE("c"), 200), CACHE_NO_SPACE);
	cr_expect_eq(set_used(f, SLICE("a"), 200), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, 2);
}

CONTRACT_TEST(eviction, no_limit_is_no_limit)
{
	set_max_size(f, 0);
	for (unsigned i = 0; i < 100; i++)
		cr_assert_eq(set_sized(f, text("%u", i), UINT64_C(1) << 40), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, 100);
	cr_expect_eq(stats(f).total_size_bytes, UINT64_C(100) << 40);
}

CONTRACT_TEST(eviction, capacity_zero_stores_nothing)
{
	struct cache_item item = item_of(SLICE("key"), SLICE("v"));

	set_capacity(f, 0);
	cr_expect_eq(set_item(f, NS, &item), CACHE_OK);
	cr_expect_eq(item.status, CACHE_OK);
	cr_expect(item.created);
	cr_expect_not(exists(f, SLICE("key")));
	cr_expect_eq(stats(f).entry_count, 0);
	cr_expect_eq(stats(f).total_size_bytes, 0);
	set_capacity(f, CAPACITY_UNLIMITED);
	cr_expect_eq(set(f, SLICE("key"), SLICE("v")), CACHE_OK);
	cr_expect(exists(f, SLICE("key")));
}
