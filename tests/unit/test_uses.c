/* backends/sqlite/write/uses.c against a plain array. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sqlite/write/uses.h"
#include "tests/support/random.h"
#include "tests/support/threads.h"

/* ---- The model: use number i belongs to id_of(i) ---- */

#define IDS 600

static struct use model[IDS];
static size_t model_used;

/* Few home slots for many ids, at both ends of the table: long runs that wrap around. A slot
 * follows from the id times 2^64 / golden ratio: this is the id that gives such a product. If slots
 * were chosen otherwise, these would be scattered ids, and the test still valid. */
static int64_t crowded_id(size_t i)
{
	static const uint64_t homes[] = {0, 1, 2, 60, 61, 62, 63, 127, 255};
	uint64_t product =
		(uint64_t)(i / 9 % 4) << 60 | (uint64_t)(i / 9 / 4) << 44 | homes[i % 9] << 32;

	return (int64_t)(product * UINT64_C(0xF1DE83E19937733D));
}

/* As SQLite numbers its rows. */
static int64_t rising_id(size_t i)
{
	return (int64_t)i;
}

/* Over the whole table and both signs. */
static int64_t scattered_id(size_t i)
{
	return (int64_t)((i + 1) * UINT64_C(0x9E3779B97F4A7C15));
}

static void expect_same(const struct use *use, const struct use *expected)
{
	cr_assert_eq(use->id, expected->id);
	cr_assert_eq(use->namespace_id, expected->namespace_id);
	cr_assert_eq(use->count, expected->count, "id %lld", (long long)use->id);
	cr_assert_eq(use->last_access_us, expected->last_access_us);
}

static size_t index_of(int64_t id, int64_t (*id_of)(size_t))
{
	for (size_t i = 0; i < IDS; i++)
		if (id_of(i) == id)
			return i;
	cr_assert_fail("id %lld was never added", (long long)id);
	return 0;
}

static void add_one(struct uses *uses, size_t i, int64_t id)
{
	struct use use = {
		.id = id,
		.namespace_id = (int64_t)(i % 3),
		.count = 1 + random_below(3),
		.last_access_us = (int64_t)random_below(1000),
	};

	uses_add(uses, &use);
	if (model[i].count == 0) {
		model_used++;
		model[i] = use;
		return;
	}
	model[i].count += use.count;
	if (model[i].last_access_us < use.last_access_us)
		model[i].last_access_us = use.last_access_us;
}

static void look_up_one(struct uses *uses, size_t i, int64_t id, bool take)
{
	struct use use = {.id = -7};
	bool found = take ? uses_take(uses, id, &use) : uses_find(uses, id, &use);

	cr_assert_eq(found, model[i].count > 0, "use %zu", i);
	if (!found) {
		cr_assert_eq(use.id, -7, "the result is left alone");
		return;
	}
	expect_same(&use, &model[i]);
	if (take) {
		model[i].count = 0;
		model_used--;
	}
}

static void take_some(struct uses *uses, size_t max, int64_t (*id_of)(size_t))
{
	struct use taken[IDS];
	size_t expected = max < model_used ? max : model_used;
	size_t count = uses_take_some(uses, taken, max);

	cr_assert_eq(count, expected, "asked for %zu", max);
	for (size_t i = 0; i < count; i++) {
		size_t index = index_of(taken[i].id, id_of);

		cr_assert_gt(model[index].count, 0, "it was taken twice");
		expect_same(&taken[i], &model[index]);
		model[index].count = 0;
		model_used--;
	}
}

static void copy_all(struct uses *uses, int64_t (*id_of)(size_t))
{
	size_t count = 99;
	struct use *copy = uses_copy(uses, &count);

	cr_assert_eq(count, model_used);
	cr_assert_eq(uses_count(uses), model_used);
	for (size_t i = 0; i < count; i++) {
		expect_same(&copy[i], &model[index_of(copy[i].id, id_of)]);
		cr_assert(i == 0 || copy[i - 1].namespace_id <= copy[i].namespace_id,
			  "out of order");
	}
	free(copy);
}

static void run_random_traffic(int64_t (*id_of)(size_t))
{
	struct uses uses;

	uses_init(&uses);
	for (int step = 0; step < 60000; step++) {
		size_t i = random_below(IDS);
		/* Long phases, so that the tables fill, grow, run empty and start over. */
		bool rising = step / 5000 % 2 == 0;
		uint64_t what = random_below(1000);

		if (what < (rising ? 600U : 250U))
			add_one(&uses, i, id_of(i));
		else if (what < 990)
			look_up_one(&uses, i, id_of(i), what % 4 != 0);
		else if (what < 995)
			copy_all(&uses, id_of);
		else
			take_some(&uses, random_below(20), id_of);
		if (step % 5000 == 4999)
			for (size_t k = 0; k < IDS; k++)
				look_up_one(&uses, k, id_of(k), false);
	}
	take_some(&uses, IDS, id_of);
	cr_expect_eq(model_used, 0);
	uses_deinit(&uses);
}

Test(uses, ids_that_crowd_behave_as_an_array)
{
	run_random_traffic(crowded_id);
}

Test(uses, ids_that_rise_behave_as_an_array)
{
	run_random_traffic(rising_id);
}

Test(uses, ids_that_scatter_behave_as_an_array)
{
	run_random_traffic(scattered_id);
}

Test(uses, nothing_is_found_in_an_empty_table)
{
	struct uses uses;
	struct use use;
	size_t count = 1;

	uses_init(&uses);
	cr_expect_not(uses_find(&uses, 0, &use));
	cr_expect_not(uses_take(&uses, -1, &use));
	cr_expect_eq(uses_take_some(&uses, &use, 1), 0);
	cr_expect_null(uses_copy(&uses, &count));
	cr_expect_eq(count, 0);
	uses_deinit(&uses);
}

Test(uses, the_latest_access_counts_in_whatever_order_uses_come)
{
	struct uses uses;
	struct use use = {.id = 5, .namespace_id = 1, .count = 1, .last_access_us = 200};

	uses_init(&uses);
	uses_add(&uses, &use);
	use.last_access_us = 100;
	use.count = 41;
	uses_add(&uses, &use);
	cr_assert(uses_take(&uses, 5, &use));
	cr_expect_eq(use.last_access_us, 200);
	cr_expect_eq(use.count, 42);
	uses_deinit(&uses);
}

/* ---- The limit ---- */

#define RECORDS_MAX ((uint64_t)USES_STRIPES * USES_STRIPE_MAX)

/* Enough ids to fill every stripe, however they are distributed. */
Test(uses, full_stripes_count_what_they_have_and_take_nothing_new)
{
	static struct use some[4096];
	struct uses uses;
	struct use use = {.namespace_id = 1, .count = 1, .last_access_us = 1};
	uint64_t records = 0;
	size_t count;

	uses_init(&uses);
	for (uint64_t i = 0; i < RECORDS_MAX + RECORDS_MAX / 8; i++) {
		use.id = scattered_id(i);
		uses_add(&uses, &use);
	}
	cr_expect_not(uses_find(&uses, use.id, &some[0]), "one more than it may hold");
	use.id = scattered_id(7);
	uses_add(&uses, &use);
	cr_assert(uses_find(&uses, scattered_id(7), &some[0]));
	cr_expect_eq(some[0].count, 2, "what is there is counted on");
	cr_assert(uses_take(&uses, scattered_id(7), &some[0]));
	use.id = scattered_id(7);
	uses_add(&uses, &use);
	cr_expect(uses_find(&uses, scattered_id(7), &some[0]), "what goes makes room");
	while ((count = uses_take_some(&uses, some, 4096)) > 0)
		records += count;
	cr_expect_eq(records, RECORDS_MAX);
	uses_deinit(&uses);
}

/* ---- Threads ---- */

#define THREADS    8
#define ADDS       20000
#define SHARED_IDS 50

struct tally {
	struct uses uses;
	uint64_t taken[THREADS];
};

static const char *add_and_take(size_t index, void *user)
{
	struct tally *tally = user;
	struct use some[16];

	for (int i = 0; i < ADDS; i++) {
		struct use use = {
			.id = (int64_t)((unsigned)i * 7919U % SHARED_IDS) << 2,
			.namespace_id = 1,
			.count = 1,
			.last_access_us = i,
		};

		uses_add(&tally->uses, &use);
		if (index == 0 && i % 100 == 0) {
			size_t count = uses_take_some(&tally->uses, some, 16);

			for (size_t k = 0; k < count; k++)
				tally->taken[index] += some[k].count;
		} else if (i % 50 == 0 && uses_take(&tally->uses, use.id, &use)) {
			tally->taken[index] += use.count;
		}
	}
	return NULL;
}

Test(uses, no_use_is_lost_or_counted_twice_among_threads)
{
	static struct tally tally;
	struct use left;
	uint64_t sum = 0;

	uses_init(&tally.uses);
	cr_expect_null(in_threads(THREADS, add_and_take, &tally));
	for (size_t i = 0; i < THREADS; i++)
		sum += tally.taken[i];
	while (uses_take_some(&tally.uses, &left, 1) == 1)
		sum += left.count;
	cr_expect_eq(sum, (uint64_t)THREADS * ADDS);
	uses_deinit(&tally.uses);
}
