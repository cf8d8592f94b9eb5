/* Parts of the SQLite backend that need no database: the heap of candidates, the known heads of
 * lists, the bounds of prefixes in the index, and how far a step goes. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/file/key_index.h"
#include "backends/sqlite/write/candidates.h"
#include "backends/sqlite/write/heads.h"
#include "backends/sqlite/write/step.h"
#include "base/clock.h"
#include "tests/support/random.h"

/* ---- Candidates ---- */

Test(candidates, the_lowest_score_comes_first_and_of_equal_ones_the_oldest)
{
	struct candidates heap = {0};
	struct candidate last = {.score = -1};

	for (int64_t id = 0; id < 1000; id++) {
		struct candidate candidate = {
			.id = id,
			.score = (double)random_below(50),
			.last_access_us = (int64_t)random_below(50),
		};

		cr_assert(candidates_push(&heap, &candidate));
	}
	for (size_t left = 1000; left > 0; left--) {
		struct candidate next;

		cr_assert_eq(heap.count, left);
		next = candidates_pop(&heap);
		cr_assert_geq(next.score, last.score);
		if (next.score == last.score)
			cr_assert_geq(next.last_access_us, last.last_access_us);
		last = next;
	}
	free(heap.items);
}

Test(candidates, one_that_rises_comes_again_at_its_new_place)
{
	struct candidates heap = {0};

	for (int64_t id = 1; id <= 3; id++)
		cr_assert(
			candidates_push(&heap, &(struct candidate){.id = id, .score = (double)id}));
	struct candidate first = candidates_pop(&heap);
	first.score = 2.5;
	cr_assert(candidates_push(&heap, &first));
	cr_expect_eq(candidates_pop(&heap).id, 2);
	cr_expect_eq(candidates_pop(&heap).id, 1);
	cr_expect_eq(candidates_pop(&heap).id, 3);
	free(heap.items);
}

/* ---- Heads ---- */

Test(heads, what_is_known_stays_until_another_process_writes)
{
	struct heads_cache cache = {0};
	struct heads *heads = heads_of(&cache, 7, 1);

	cr_assert(heads_add(heads, 2, 100));
	cr_assert(heads_add(heads, 5, 90));
	cr_expect_eq(heads_of(&cache, 7, 1)->count, 2);
	heads_remove(heads_of(&cache, 7, 1), 0);
	cr_expect_eq(heads_of(&cache, 7, 1)->items[0].frequency, 5);
	cr_expect_eq(heads_of(&cache, 8, 1)->count, 0, "another version of the data");
	heads_deinit(&cache);
}

Test(heads, the_earliest_arrival_bounds_its_namespace_alone)
{
	struct heads_cache cache = {0};

	(void)heads_of(&cache, 1, 10);
	(void)heads_of(&cache, 1, 11);
	heads_arrive(&cache, 10, 500);
	heads_arrive(&cache, 10, 400);
	heads_arrive(&cache, 10, 600);
	cr_expect_eq(heads_of(&cache, 1, 10)->arrived_us, 400);
	cr_expect_eq(heads_of(&cache, 1, 11)->arrived_us, INT64_MAX);
	heads_forget(&cache);
	cr_expect_eq(heads_of(&cache, 1, 10)->arrived_us, INT64_MAX);
	heads_deinit(&cache);
}

Test(heads, the_namespace_asked_for_longest_ago_gives_way)
{
	struct heads_cache cache = {0};

	for (int64_t id = 1; id <= HEADS_NAMESPACES; id++)
		cr_assert(heads_add(heads_of(&cache, 1, id), 2, id));
	(void)heads_of(&cache, 1, 1); /* asked for again */
	(void)heads_of(&cache, 1, 100);
	cr_expect_eq(heads_of(&cache, 1, 1)->count, 1);
	cr_expect_eq(heads_of(&cache, 1, 2)->count, 0);
	heads_deinit(&cache);
}

/* ---- The index of keys ---- */

static struct slice bound_of(struct slice prefix, char bound[static KEY_BOUND_BYTES])
{
	size_t len = key_index_prefix_bound(prefix, bound);

	return (struct slice){.data = bound, .len = len};
}

Test(key_index, the_bound_is_the_first_string_behind_all_with_the_prefix)
{
	char bound[KEY_BOUND_BYTES];

	cr_expect(slice_equal(bound_of(SLICE("abc"), bound), SLICE("abd")));
	cr_expect(slice_equal(bound_of(SLICE("ab\xFF"), bound), SLICE("ac")));
	cr_expect(slice_equal(bound_of(SLICE("a\xFF\xFF"), bound), SLICE("b")));
}

Test(key_index, without_a_bound_it_is_behind_all_that_is_indexed)
{
	char bound[KEY_BOUND_BYTES];
	char highest[INDEXED_KEY_BYTES];

	memset(highest, 0xFF, sizeof(highest));
	struct slice key = {.data = highest, .len = sizeof(highest)};
	cr_expect_gt(slice_compare(bound_of(SLICE(""), bound), key), 0);
	cr_expect_gt(slice_compare(bound_of(SLICE("\xFF"), bound), key), 0);
	cr_expect_gt(slice_compare(bound_of(key, bound), key), 0);
}

Test(key_index, of_a_long_prefix_the_indexed_beginning_counts)
{
	char prefix[INDEXED_KEY_BYTES + 10];
	char bound[KEY_BOUND_BYTES];

	memset(prefix, 'a', sizeof(prefix));
	struct slice all = {.data = prefix, .len = sizeof(prefix)};
	struct slice got = bound_of(all, bound);
	cr_expect_eq(key_index_len(all), INDEXED_KEY_BYTES);
	cr_expect_eq(got.len, INDEXED_KEY_BYTES);
	cr_expect_eq(got.data[INDEXED_KEY_BYTES - 1], 'b');
}

Test(key_index, the_hash_depends_on_the_seed_of_the_file)
{
	cr_expect_neq(key_index_hash(1, SLICE("key")), key_index_hash(2, SLICE("key")));
	cr_expect_eq(key_index_hash(1, SLICE("key")), key_index_hash(1, SLICE("key")));
}

/* ---- Steps ---- */

Test(step, a_step_without_time_still_goes_on_by_one)
{
	struct step step = {.max = 10};

	cr_expect_not(step_is_over(&step));
	step.looked_at = 1;
	cr_expect(step_is_over(&step));
}

Test(step, it_ends_with_what_it_may_remove_and_not_before_what_it_must)
{
	struct step step = {.max = 10, .min = 4, .removed = 3};

	cr_expect_not(step_is_over(&step), "more has to go, however late it is");
	step.removed = 4;
	cr_expect(step_is_over(&step), "its time is over");
	step.until_us = monotonic_now_us() + 60 * US_PER_S;
	cr_expect_not(step_is_over(&step));
	step.removed = 10;
	cr_expect(step_is_over(&step));
}
