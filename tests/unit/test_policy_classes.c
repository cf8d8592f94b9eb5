/* The frequency classes with many frequencies, against an array. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "store/policy/check.h"
#include "tests/support/random.h"

#define FREQUENCIES 6000

static struct classes classes;
static uint32_t counts[FREQUENCIES + 1]; /* of each frequency */

static uint32_t highest(void)
{
	uint32_t frequency = FREQUENCIES;

	while (frequency > 1 && counts[frequency] == 0)
		frequency--;
	return frequency;
}

static void expect_as_model(void)
{
	uint32_t before = 0;
	size_t met = 0;
	size_t expected = 0;

	for (uint32_t i = 0; i < classes.block_count; i++) {
		const struct class_block *block = &classes.blocks[i];

		cr_assert_gt(block->count, 0);
		cr_assert_leq(block->count, block->capacity);
		cr_assert(i == 0 || block->least > before);
		for (uint32_t j = 0; j < block->count; j++) {
			const struct frequency_class *class = &block->classes[j];

			cr_assert_gt(class->frequency, before, "they rise");
			cr_assert_geq(class->frequency, block->least);
			cr_assert_eq(class->entry_count, counts[class->frequency], "of %u",
				     class->frequency);
			before = class->frequency;
			met += class->entry_count > 0;
		}
	}
	for (uint32_t i = 1; i <= FREQUENCIES; i++) {
		expected += counts[i] > 0;
		if (counts[i] > 0)
			cr_assert_eq(classes_find(&classes, i)->frequency, i);
	}
	cr_assert_eq(met, expected);
	cr_assert_eq(classes.blocks[0].classes[0].frequency, 1);
	cr_assert_eq(classes_last(&classes)->frequency, highest());
}

static void add(uint32_t frequency)
{
	struct frequency_class *class = classes_make(&classes, frequency);

	cr_assert(class);
	cr_assert_eq(class->frequency, frequency);
	class->entry_count++;
	counts[frequency]++;
}

static void take(uint32_t frequency)
{
	if (counts[frequency] == 0)
		return;
	counts[frequency]--;
	if (--classes_find(&classes, frequency)->entry_count == 0)
		classes_trim(&classes);
}

static void raise_one(uint32_t frequency)
{
	if (frequency == FREQUENCIES || counts[frequency] != 1)
		return;
	if (!classes_raise(&classes, classes_find(&classes, frequency))) {
		add(frequency + 1);
		take(frequency);
		return;
	}
	cr_assert_neq(frequency, 1, "the first stays");
	cr_assert_eq(counts[frequency + 1], 0);
	counts[frequency + 1] = 1;
	counts[frequency] = 0;
}

Test(classes, are_as_an_array_whatever_is_done)
{
	cr_assert_null(classes_last(&classes));
	cr_assert(classes_prepare(&classes));
	/* Mostly growing, then mostly shrinking, repeatedly. */
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t frequency = 1 + (uint32_t)random_below(FREQUENCIES);
		bool grows = i / 40000 % 2 == 0;

		if (random_below(4) == 0)
			raise_one(frequency);
		else if ((random_below(8) != 0) == grows)
			add(frequency);
		else
			take(frequency);
		if (i % 2000 == 0)
			expect_as_model();
	}
	for (uint32_t i = 1; i <= FREQUENCIES; i++)
		while (counts[i] > 0)
			take(i);
	expect_as_model();
	cr_expect_eq(classes.block_count, 1);
	classes_deinit(&classes);
}

/* ---- Victims among many frequencies ---- */

#define ENTRIES 600

static struct order_node *entries[ENTRIES];
static struct order order;

static struct order_node *make_node(uint32_t frequency, int64_t last_access_us, uint64_t stamp)
{
	struct order_node *node = malloc(sizeof(*node));

	cr_assert(node);
	*node = (struct order_node){
		.frequency = frequency,
		.last_access_us = last_access_us,
		.stamp = stamp,
	};
	return node;
}

/* ENTRIES if all are pinned. */
static size_t search_first(size_t count, int64_t now_us)
{
	size_t best = ENTRIES;

	for (size_t i = 0; i < count; i++)
		if (!entries[i]->pinned &&
		    (best == ENTRIES ||
		     order_precedes(EVICT_FRECENCY, entries[i], entries[best], now_us)))
			best = i;
	return best;
}

static size_t expect_first(size_t count, int64_t now_us)
{
	size_t best = search_first(count, now_us);

	cr_assert_eq(order_candidate(&order, now_us), best == ENTRIES ? NULL : entries[best],
		     "with %zu entries", count);
	cr_assert_null(policy_order_check(&order, true), "%s", policy_order_check(&order, true));
	return best;
}

/* Histories of up to `oldest_us`; while victims are removed the clock advances by up to `leap_us` a
 * step, entries are used, pinned and unpinned, and some searches use a past time. */
static void restore_and_drain(uint64_t oldest_us, uint64_t leap_us, uint32_t frequencies)
{
	int64_t now_us = INT64_C(1700000000000000);

	order_init(&order, EVICT_FRECENCY);
	cr_assert(order_prepare(&order));
	for (size_t i = 0; i < ENTRIES; i++) {
		int64_t age_us = (int64_t)random_below(1 + random_below(oldest_us));

		entries[i] = make_node(1 + (uint32_t)random_below(frequencies), now_us - age_us, i);
		order_restore(&order, entries[i]);
	}
	for (size_t left = ENTRIES; left > 0;) {
		struct order_node *any = entries[random_below(left)];
		size_t best = ENTRIES;

		now_us += (int64_t)random_below(leap_us);
		switch (random_below(8)) {
		case 0:
			any->pinned = !any->pinned;
			break;
		case 1:
			(void)expect_first(left, now_us - (int64_t)random_below(leap_us * 100));
			break;
		case 2:
		case 3:
			best = expect_first(left, now_us);
			break;
		default:
			order_use(&order, any, now_us);
			break;
		}
		if (best == ENTRIES)
			continue;
		order_remove(&order, entries[best]);
		free(entries[best]);
		entries[best] = entries[--left];
	}
	cr_expect_eq(order_max_frequency(&order), 0);
	order_deinit(&order);
}

Test(classes, give_up_the_lowest_score_first_whenever_somebody_looks)
{
	static const struct {
		unsigned oldest_log, leap_log;
		uint32_t frequencies;
	} cases[] = {
		{40, 0, 100000}, {40, 10, 100000}, {30, 20, 2000}, {35, 30, 300},
		{50, 40, 100},   {40, 36, 1000},   {20, 20, 400},  {45, 20, 100000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		restore_and_drain(UINT64_C(1) << cases[i].oldest_log,
				  UINT64_C(1) << cases[i].leap_log, cases[i].frequencies);
}
