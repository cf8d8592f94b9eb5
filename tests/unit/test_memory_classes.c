/* The frequency classes of the memory backend with many frequencies, against an array. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "backends/memory/order.h"
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
	/* Mostly growing, then mostly shrinking, and again. */
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

#define ENTRIES 3000

static struct entry *make_entry(uint32_t frequency, int64_t last_access_us, uint64_t stamp)
{
	struct cache_value *value = cache_value_copy(SLICE("value"), SLICE("a/b"));
	struct entry *entry = entry_create(SLICE("key"), value, false);

	cr_assert(entry);
	cache_value_release(value);
	entry->frequency = frequency;
	entry->last_access_us = last_access_us;
	entry->stamp = stamp;
	return entry;
}

Test(classes, of_restored_entries_give_up_the_lowest_score_first)
{
	static struct entry *entries[ENTRIES];
	const int64_t now_us = INT64_C(1700000000000000);
	struct order order;

	order_init(&order, EVICT_FRECENCY);
	cr_assert(order_prepare(&order));
	for (size_t i = 0; i < ENTRIES; i++) {
		int64_t age_us = (int64_t)random_below(UINT64_C(1) << random_below(40));

		entries[i] = make_entry(1 + (uint32_t)random_below(100000), now_us - age_us, i);
		order_restore(&order, entries[i]);
	}
	for (size_t left = ENTRIES; left > 0; left--) {
		struct entry *best = NULL;
		size_t best_at = 0;

		for (size_t i = 0; i < left; i++)
			if (!best || order_precedes(EVICT_FRECENCY, entries[i], best, now_us)) {
				best = entries[i];
				best_at = i;
			}
		cr_assert_eq(order_candidate(&order, now_us), best, "with %zu left", left);
		order_remove(&order, best);
		best->next = NULL;
		entry_free_list(best);
		entries[best_at] = entries[left - 1];
	}
	cr_expect_eq(order_max_frequency(&order), 0);
	order_deinit(&order);
}
