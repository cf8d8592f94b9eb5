/* The index of the keeper against a plain array: what is in it, and in which order. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/keeper/index.h"

#define KEYS 3000

static struct keeper_index keys;
static struct keeper_entry *present[KEYS];
static uint64_t random_state = 7;

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % sides;
}

/* In the order of i, and of different lengths. */
static struct slice key_of(size_t i)
{
	static char text[8][64];
	static unsigned turn;
	char *at = text[turn++ % 8];

	return (struct slice){
		at, (size_t)snprintf(at, sizeof(text[0]), "%04zu%*s", i, (int)i % 40, "")};
}

static struct keeper_entry *make(size_t i, const struct keeper_entry *old)
{
	struct keeper_record record = {.kind = RECORD_ENTRY};
	struct keeper_entry *entry;

	record.entry.frequency = 1;
	record.entry.type = SLICE("text/x-of-its-own");
	entry = keeper_entry_create(key_of(i), &record, old);
	cr_assert(entry);
	return entry;
}

static void expect_order(void)
{
	struct keeper_entry *entry = keeper_index_from(&keys, SLICE(""));
	size_t count = 0;

	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(keeper_index_find(&keys, key_of(i)), present[i], "key %zu", i);
		if (!present[i])
			continue;
		cr_assert_eq(entry, present[i], "key %zu", i);
		entry = entry->next[0];
		count++;
	}
	cr_assert_null(entry);
	cr_assert_eq(keys.count, count);
	cr_assert_eq(keys.buckets.entries, count);
	cr_assert_leq(keys.buckets.count, 2 * count + 2);
	cr_assert_geq(keys.buckets.count, count);
}

/* Takes steps at random; of 10, some `adds` add. */
static void take_steps(unsigned steps, unsigned adds)
{
	for (unsigned n = 0; n < steps; n++) {
		size_t i = roll(KEYS);
		struct keeper_entry *old = present[i];

		if (roll(10) < adds && old) {
			present[i] = make(i, roll(2) ? old : NULL);
			keeper_index_replace(&keys, old, present[i]);
		} else if (old) {
			present[i] = NULL;
			keeper_index_remove(&keys, old);
		} else if (roll(10) < adds) {
			present[i] = make(i, NULL);
			keeper_index_add(&keys, present[i]);
			continue;
		} else {
			continue;
		}
		free(old);
	}
}

Test(keeper_index, has_what_was_added_in_order)
{
	cr_assert(keeper_index_init(&keys));
	expect_order();
	for (unsigned round = 0; round < 30; round++) {
		take_steps(1000, round / 5 % 2 ? 1 : 9); /* it alternately grows and shrinks */
		expect_order();
	}
	keeper_index_deinit(&keys);
}

Test(keeper_index, begins_where_it_is_told)
{
	cr_assert(keeper_index_init(&keys));
	for (size_t i = 0; i < 100; i += 2)
		keeper_index_add(&keys, present[i] = make(i, NULL));
	for (size_t i = 0; i < 99; i++)
		cr_expect_eq(keeper_index_from(&keys, key_of(i)), present[i + i % 2]);
	cr_expect_null(keeper_index_from(&keys, key_of(99)));
	cr_expect_null(keeper_index_find(&keys, SLICE("")));
	keeper_index_add(&keys, make(3, NULL));
	cr_expect(slice_equal(keeper_entry_type(keeper_index_find(&keys, key_of(3))),
			      SLICE("text/x-of-its-own")));
	keeper_index_deinit(&keys);
}
