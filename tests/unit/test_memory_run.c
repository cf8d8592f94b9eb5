/* Runs of the memory backend against a sorted array, and their lifetime. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/memory/listing/run.h"
#include "backends/memory/listing/walk.h"
#include "backends/memory/set.h"
#include "tests/support/random.h"

#define NOW_US INT64_C(1700000000000000)

/* ---- A run ---- */

#define MODEL_KEYS 3000

static char bytes[MODEL_KEYS][64];
static struct slice model[MODEL_KEYS]; /* distinct, in random order; sorted by sort_model */

/* Keys that share up to twenty bytes, with any byte in them, also at the end. */
static void make_model(void)
{
	for (size_t i = 0; i < MODEL_KEYS; i++) {
		size_t len = random_below(3) == 0 ? 0 : random_below(21);

		memset(bytes[i], 'c', len);
		for (size_t j = random_below(12); j > 0; j--)
			bytes[i][len++] = (char)(random_below(2) ? random_below(3) : 255);
		/* Makes it distinct from the others; usually as a suffix, so that any order
		 * occurs. */
		len += (size_t)snprintf(bytes[i] + len, sizeof(bytes[i]) - len, "/%zu", i);
		model[i] = (struct slice){.data = bytes[i], .len = len};
	}
}

static int compare_slices(const void *a, const void *b)
{
	return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static void sort_model(void)
{
	qsort(model, MODEL_KEYS, sizeof(model[0]), compare_slices);
}

static struct run make_run(size_t block_bytes, struct slice start)
{
	struct run run;

	cr_assert(run_init(&run, block_bytes, start));
	for (size_t i = 0; i < MODEL_KEYS; i++) {
		cr_assert(run_add(&run, model[i]));
		if (i % 7 == 0)
			cr_assert(run_make_room(&run));
	}
	run_seal(&run);
	return run;
}

/* The index of the first key of the sorted model after `key`. */
static size_t model_behind(struct slice key)
{
	size_t i = 0;

	while (i < MODEL_KEYS && slice_compare(model[i], key) <= 0)
		i++;
	return i;
}

Test(run, holds_the_smallest_keys_behind_the_start_in_order)
{
	for (unsigned round = 0; round < 40; round++) {
		size_t block_bytes = RUN_BLOCK_MIN << random_below(7);

		make_model();
		struct slice start = model[random_below(MODEL_KEYS)];
		struct run run = make_run(block_bytes, start);
		sort_model();
		size_t first = model_behind(start);
		size_t held = MODEL_KEYS - first;
		cr_assert_leq(run.count, held);
		cr_assert_eq(run.is_cut, run.count < held);
		cr_expect(!run.is_cut || run.count > block_bytes / 64 / 8, "%zu of %zu bytes",
			  run.count, block_bytes);
		for (size_t i = 0; i < run.count; i++)
			cr_assert(slice_equal(run_key_at(&run, i), model[first + i]), "key %zu", i);
		if (run.is_cut)
			cr_assert(slice_equal(run.cut, model[first + run.count - 1]));
		run_deinit(&run);
	}
}

Test(run, finds_places_in_any_turn)
{
	make_model();
	struct run run = make_run((size_t)64 << 10, SLICE(""));

	sort_model();
	for (unsigned i = 0; i < 300; i++) {
		/* Also a key that nobody added. */
		struct slice after = model[random_below(MODEL_KEYS)];
		after.len -= random_below(2);
		bool is_behind = run.is_cut && slice_compare(after, run.cut) >= 0;
		cr_assert_eq(run_covers(&run, after), !is_behind);
		if (!is_behind)
			cr_assert_eq(run_find(&run, after), model_behind(after));
	}
	cr_assert(run.is_cut, "the block is smaller than the keys");
	run_deinit(&run);
}

Test(run, refuses_what_fills_the_block_alone)
{
	char *large = calloc(1, RUN_BLOCK_MIN);
	struct run run;

	cr_assert(run_init(&run, RUN_BLOCK_MIN, SLICE("")));
	large[0] = 'z';
	cr_expect_not(run_add(&run, (struct slice){.data = large, .len = RUN_BLOCK_MIN / 4}));
	run_deinit(&run);
	run_deinit(&run);
	free(large);
}

/* ---- Walks ---- */

#define WALK_KEYS 5000

static struct namespaces all;
static struct walks walks = {.namespaces = &all};
static int64_t clock_us; /* the time of the backend's clock: that of the last walk */

static int64_t tell_clock(void *user)
{
	(void)user;
	return clock_us;
}

static const struct cache_clock walk_clock = {.now_us = tell_clock};

static struct namespace *open_namespace(const struct backend_config *config, const char *name,
					uint64_t max_memory_bytes)
{
	struct namespace *ns = NULL;

	if (!all.config) {
		entry_hash_init();
		namespaces_init(&all, config, max_memory_bytes, NULL);
	}
	cr_assert_eq(namespace_find_or_create(&all, slice_of(name), &ns), CACHE_OK);
	for (unsigned i = 0; i < WALK_KEYS; i++) {
		struct cache_op op;
		char key[16];
		struct set_outcome outcome;

		(void)snprintf(key, sizeof(key), "key %04u", i);
		cache_op_init(&op, CACHE_OP_SET);
		op.one.key = slice_of(key);
		op.one.ttl_s = 0;
		op.one.value = cache_value_copy(SLICE("value"), SLICE("a/b"));
		cr_assert_eq(set_items(&all, ns, &op, NOW_US, &outcome), CACHE_OK);
		cache_value_release(op.one.value);
	}
	return ns;
}

/* A page of ten after "key <after>". */
static void walk(struct namespace *ns, const char *prefix, unsigned after, int64_t now_us)
{
	struct cache_op op;
	char key[16];

	(void)snprintf(key, sizeof(key), "key %04u", after);
	cache_op_init(&op, CACHE_OP_SCAN);
	op.prefix = slice_of(prefix);
	op.has_after = true;
	op.after = slice_of(key);
	op.limit = 10;
	clock_us = now_us;
	cr_assert_eq(walk_page(&walks, ns, &op, now_us), CACHE_OK);
	cr_assert_eq(op.entry_count, 10);
	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(key, sizeof(key), "key %04u", after + 1 + i);
		cr_assert(slice_equal(op.entries[i].key, slice_of(key)), "%u behind %u", i, after);
	}
	cr_expect_not(op.complete);
	cache_op_deinit(&op);
}

static size_t run_count(void)
{
	size_t count = 0;

	for (size_t i = 0; i < WALKS_MAX; i++)
		count += walks.walks[i] != NULL;
	return count;
}

Test(walks, share_runs_that_are_counted_and_freed)
{
	static const struct backend_config config = {.clock = &walk_clock};
	struct namespace *ns = open_namespace(&config, "n", 0);
	uint64_t before = usage_read(&all.total.memory_bytes);

	walk(ns, "", 100, NOW_US);
	cr_expect_eq(run_count(), 1);
	uint64_t with_run = usage_read(&all.total.memory_bytes);
	cr_expect_eq(with_run, before + (1 << 20));
	walk(ns, "", 4000, NOW_US + 1);
	walk(ns, "", 200, NOW_US + 2);
	cr_expect_eq(run_count(), 1, "it has all of these");
	walk(ns, "", 99, NOW_US + 3);
	cr_expect_eq(run_count(), 2, "it has not this one");
	walk(ns, "key ", 150, NOW_US + 4);
	cr_expect_eq(run_count(), 3, "another prefix");
	cr_expect(walks_tidy(&walks, NOW_US + WALK_LIFE_US + 1));
	cr_expect_eq(run_count(), 2);
	cr_expect_not(walks_tidy(&walks, NOW_US + 2 * WALK_LIFE_US + 1));
	cr_expect_eq(usage_read(&all.total.memory_bytes), before);

	walk(ns, "", 100, NOW_US);
	namespace_forbid_runs(ns);
	walk(ns, "", 100, NOW_US);
	cr_expect_eq(run_count(), 1, "that before is not used again");
	namespace_forbid_runs(ns);
	cr_expect_not(walks_tidy(&walks, NOW_US), "nor kept");
	cr_expect_eq(usage_read(&all.total.memory_bytes), before);
	walk(ns, "", 100, NOW_US);
	walks_deinit(&walks);
	namespaces_deinit(&all);
}

Test(walks, are_few_and_do_not_take_runs_from_each_other)
{
	static const struct backend_config config = {.clock = &walk_clock};
	struct namespace *several[WALKS_MAX + 1];
	const struct walk *first = NULL;
	char name[16];

	for (unsigned i = 0; i <= WALKS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		several[i] = open_namespace(&config, name, 0);
		walk(several[i], "", 0, NOW_US + i);
		if (i == 0)
			first = walks.walks[0];
	}
	cr_expect_eq(run_count(), WALKS_MAX);
	cr_expect_eq(walks.walks[0], first, "the last walker got its page without a run");
	walk(several[WALKS_MAX], "", 10, NOW_US + 3 * US_PER_S);
	cr_expect_eq(run_count(), WALKS_MAX, "it takes one that nobody read for a while");
	walk(several[WALKS_MAX], "", 20, NOW_US + 3 * US_PER_S);
	walks_deinit(&walks);
	namespaces_deinit(&all);
}

Test(walks, keep_to_a_memory_limit)
{
	const uint64_t max_bytes = UINT64_C(2) << 20;
	static const struct backend_config config = {.clock = &walk_clock};
	struct namespace *ns = open_namespace(&config, "n", max_bytes);
	uint64_t before = usage_read(&all.total.memory_bytes);

	walk(ns, "", 100, NOW_US);
	uint64_t taken = usage_read(&all.total.memory_bytes) - before;
	cr_expect_gt(taken, 0);
	cr_expect_leq(taken, max_bytes / 2);
	cr_expect_leq(before + taken, max_bytes);
	/* Through runs that are each cut several times. */
	for (unsigned after = 100; after < WALK_KEYS - 20; after += 10)
		walk(ns, "", after, NOW_US);
	cr_expect_leq(run_count(), 1, "one that is read to its end makes room for the next");
	walks_deinit(&walks);
	namespaces_deinit(&all);
}
