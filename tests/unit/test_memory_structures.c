/* The parts of a shard of the memory backend, each against a simple model. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/memory/evict.h"
#include "tests/support/random.h"

static struct slice key_of(size_t i)
{
	static char text[32];

	return (struct slice){
		.data = text,
		.len = (size_t)snprintf(text, sizeof(text), "key %zu", i),
	};
}

/* A new entry of a short value; the only reference to the value is the entry's. */
static struct entry *make_entry(struct slice key, bool has_tail)
{
	struct cache_value *value = cache_value_copy(SLICE("value"), SLICE("a/b"));
	struct entry *entry = entry_create(key, value, has_tail);

	cr_assert(entry);
	cache_value_release(value);
	return entry;
}

/* ---- Entries ---- */

Test(entry, key_and_tail_do_not_touch_whatever_the_length)
{
	char key[70];

	memset(key, 'k', sizeof(key));
	for (size_t len = 0; len <= sizeof(key); len++) {
		struct slice name = {.data = key, .len = len};
		struct entry *entry = make_entry(name, true);
		struct entry_tail *tail = entry_tail(entry);

		cr_expect_eq((uintptr_t)tail % _Alignof(struct entry_tail), 0, "length %zu", len);
		memset(tail, 0xFF, sizeof(*tail));
		cr_expect(slice_equal(entry_key(entry), name));
		cr_expect_eq(entry->order.frequency, 1);
		cr_expect_str_eq(cache_value_content_type(entry_value(entry)), "a/b");
		cr_expect(slice_equal(cache_value_bytes(entry_value(entry)), SLICE("value")));
		entry_free_list(entry);
	}
}

static struct cache_value *make_value_with_headroom(struct slice key)
{
	struct cache_headroom headroom = {.record_bytes = ENTRY_RECORD_BYTES, .key_len = key.len};

	return cache_value_copy_with_headroom(SLICE("value"), SLICE("a/b"), headroom);
}

Test(entry, is_one_with_a_value_that_has_room)
{
	struct slice key = SLICE("some key");
	struct cache_value *value = make_value_with_headroom(key);
	struct entry *entry = entry_create(key, value, false);

	cr_expect_eq(entry_value(entry), value);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("value")));
	cr_expect(slice_equal(entry_key(entry), key));
	entry_free_list(entry);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("value")), "a reader has it still");
	cache_value_release(value);
}

static void expect_copy(struct slice key, struct cache_value *value, bool has_tail)
{
	struct entry *entry = entry_create(key, value, has_tail);

	cr_assert_neq(entry_value(entry), value);
	cr_expect(slice_equal(entry_key(entry), key));
	cr_expect(slice_equal(cache_value_bytes(entry_value(entry)), SLICE("value")));
	cr_expect(etag_equal(&entry_value(entry)->etag, &value->etag));
	cr_expect_eq(entry_value(entry)->flags, value->flags);
	cr_expect_str_eq(cache_value_content_type(entry_value(entry)), "a/b");
	entry_free_list(entry);
}

Test(entry, copies_a_value_whose_room_is_taken_or_another)
{
	struct cache_value *value = make_value_with_headroom(SLICE("key"));

	expect_copy(SLICE("longer key"), value, false);
	expect_copy(SLICE("k"), value, false);
	expect_copy(SLICE("key"), value, true);
	struct entry *first = entry_create(SLICE("key"), value, false);
	cr_expect_eq(entry_value(first), value, "the failed claims took nothing");
	expect_copy(SLICE("yek"), value, false);
	cr_expect(slice_equal(entry_key(first), SLICE("key")), "a copy leaves the first alone");
	entry_free_list(first);
	expect_copy(SLICE("key"), value, false);
	cache_value_release(value);
}

Test(entry, its_creation_is_in_its_stamp)
{
	struct entry entry = {
		.order.stamp = UINT64_C(1700000000123456) << STAMP_TICK_BITS | 77,
	};

	cr_expect_eq(entry_created_at_us(&entry), INT64_C(1700000000123456));
}

Test(entry, expires_at_the_microsecond_that_was_told)
{
	struct entry *entry = make_entry(SLICE("key"), true);

	entry_value(entry)->expires_at_us = 100;
	cr_expect_not(entry_is_expired(entry, 99));
	cr_expect(entry_is_expired(entry, 100));
	entry_value(entry)->expires_at_us = 0;
	cr_expect_not(entry_is_expired(entry, INT64_MAX), "0 is never");
	entry_free_list(entry);
}

/* ---- Table ---- */

#define KEYS 6000

static struct table table;
static struct entry *present[KEYS]; /* the model */
static size_t present_count;

static void toggle_key(size_t i)
{
	struct slice key = key_of(i);
	uint64_t hash = entry_hash(key);

	if (present[i]) {
		table_remove(&table, hash, present[i]);
		present[i]->order.next = NULL;
		entry_free_list(present[i]);
		present[i] = NULL;
		present_count--;
	} else {
		present[i] = make_entry(key, false);
		cr_assert(table_reserve(&table, hash, 1));
		table_add(&table, hash, present[i]);
		present_count++;
	}
}

static void expect_table_as_model(void)
{
	size_t met = 0;

	cr_assert_eq(table.entry_count, present_count);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(table_find(&table, entry_hash(key_of(i)), key_of(i)), present[i],
			     "key %zu", i);
	for (uint32_t i = 0; i < table.bucket_count; i++)
		for (size_t at = 0; table_at(&table, i, at); at++)
			met++;
	cr_assert_eq(met, present_count);
}

static void open_table(void)
{
	entry_hash_init();
	cr_assert(table_prepare(&table));
}

static void close_table(void)
{
	table_deinit(&table);
	cr_expect_eq(table.bucket_count, 0);
}

TestSuite(table, .init = open_table, .fini = close_table);

Test(table, behaves_as_an_array_while_it_grows_and_shrinks)
{
	uint32_t most = 0;

	for (int tide = 0; tide < 6; tide++) {
		bool rising = tide % 2 == 0;

		for (int step = 0; step < 12000; step++) {
			size_t i = random_below(KEYS);

			if (rising == !present[i] || random_below(10) == 0)
				toggle_key(i);
			cr_assert_leq(table.entry_count, table.bucket_count * TABLE_LOAD);
			cr_assert(table.bucket_count == 1 ||
					  table.entry_count >= table.bucket_count * TABLE_LOAD / 2,
				  "%u buckets for %zu entries", table.bucket_count,
				  table.entry_count);
			most = table.bucket_count > most ? table.bucket_count : most;
		}
		expect_table_as_model();
	}
	cr_expect_gt(most, KEYS / TABLE_LOAD / 4);
	for (size_t i = 0; i < KEYS; i++)
		if (present[i])
			toggle_key(i);
	cr_expect_eq(table.bucket_count, 1, "an empty table is as small as a new one");
}

Test(table, an_empty_one_finds_nothing_even_unprepared)
{
	struct table fresh = {0};

	cr_expect_null(table_find(&fresh, 1, SLICE("a")));
	table_deinit(&fresh);
}

/* One hash for all: the tags do not differ, and all keys are in one bucket and its overflow. */
Test(table, keys_of_one_hash_stay_apart)
{
	struct entry *entries[100] = {0};
	size_t count = 0;

	for (int step = 0; step < 20000; step++) {
		size_t i = random_below(100);

		if (entries[i]) {
			table_remove(&table, 5, entries[i]);
			entry_free_list(entries[i]);
			entries[i] = NULL;
			count--;
		} else if (step / 2000 % 2 == 0 || random_below(4) == 0) {
			entries[i] = make_entry(key_of(i), false);
			cr_assert(table_reserve(&table, 5, 1));
			/* Prevents growth, which would ask the keys for their true hashes. */
			table.visits = 1;
			table_add(&table, 5, entries[i]);
			count++;
		}
		table.visits = 1;
		cr_assert_eq(table.entry_count, count);
		i = random_below(100);
		cr_assert_eq(table_find(&table, 5, key_of(i)), entries[i]);
		cr_assert_leq(table.spare_count, 2, "%zu", table.spare_count);
	}
	for (size_t i = 0; i < 100; i++)
		cr_assert_eq(table_find(&table, 5, key_of(i)), entries[i]);
	for (size_t at = 0; at < count; at++) {
		struct entry *entry = table_at(&table, 0, at);

		cr_assert(entry);
		cr_assert_eq(table_find(&table, 5, entry_key(entry)), entry);
	}
	cr_expect_null(table_at(&table, 0, count));
	table.visits = 0;
}

/* The room reserved for many at once is enough while the table grows under them. */
Test(table, a_batch_needs_no_more_than_it_reserved)
{
	for (size_t first = 0; first < KEYS; first += 600) {
		for (size_t i = first; i < first + 600; i++)
			cr_assert(table_reserve(&table, entry_hash(key_of(i)), 600));
		for (size_t i = first; i < first + 600; i++) {
			present[i] = make_entry(key_of(i), false);
			table_add(&table, entry_hash(key_of(i)), present[i]);
			present_count++;
		}
		expect_table_as_model();
	}
}

Test(table, a_swap_changes_nothing_but_the_entry)
{
	for (size_t i = 0; i < 500; i++)
		toggle_key(i);
	for (size_t i = 0; i < 500; i++) {
		struct entry *fresh = make_entry(key_of(i), true);

		table_swap(&table, entry_hash(key_of(i)), present[i], fresh);
		entry_free_list(present[i]);
		present[i] = fresh;
	}
	expect_table_as_model();
}

static size_t index_of(const struct entry *entry)
{
	char text[32] = "";

	memcpy(text, entry_key(entry).data, entry_key(entry).len);
	return strtoul(text + strlen("key "), NULL, 10);
}

Test(table, a_pass_meets_what_stays_once_however_many_come_and_go)
{
	static unsigned meetings[KEYS];

	for (size_t i = 0; i < 1000; i++)
		toggle_key(i);
	table.visits = 1;
	uint32_t buckets = table.bucket_count;
	for (uint32_t index = 0; index < buckets; index++) {
		struct entry *entry;

		for (size_t at = 0; (entry = table_at(&table, index, at)); at++)
			meetings[index_of(entry)]++;
		for (size_t n = 0; n < 20; n++) /* keys of 500 and more are added and removed */
			toggle_key(500 + random_below(KEYS - 500));
		cr_assert_eq(table.bucket_count, buckets, "it moves under the pass");
	}
	for (size_t i = 0; i < 500; i++)
		cr_expect_eq(meetings[i], 1, "key %zu was met %u times", i, meetings[i]);
	table.visits = 0;
	for (size_t i = 0; i < KEYS; i++)
		if (!present[i])
			toggle_key(i);
	cr_expect_leq(table.entry_count, table.bucket_count * TABLE_LOAD, "it catches up");
	expect_table_as_model();
}

/* ---- Water marks ---- */

Test(eviction, for_memory_ends_a_sixty_fourth_below_the_limit)
{
	cr_expect_eq(evict_memory_low_water(6400), 6300);
}
