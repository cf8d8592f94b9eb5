/* backends/sqlite/read/values.c and wal_index.c: states, replacement, bounds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "backends/sqlite/read/values.h"

#define SPACE_BYTES (UINT64_C(1) << 20)

static struct values values;
/* The shared index, set by the test: the header twice. */
static uint64_t wal_index[2 * WAL_STATE_WORDS];

static struct wal_state state_of(uint32_t commits, uint32_t frames)
{
	uint32_t numbers[2 * WAL_STATE_WORDS] = {[2] = commits, [4] = frames};
	struct wal_state state;

	memcpy(&state, numbers, sizeof(state));
	return state;
}

static void show(struct wal_state state)
{
	memcpy(wal_index, &state, sizeof(state));
	memcpy(wal_index + WAL_STATE_WORDS, &state, sizeof(state));
}

static void put(struct wal_state state, int64_t ns, unsigned key, const char *text)
{
	struct cache_value *value = cache_value_copy((struct slice){text, strlen(text)},
						     (struct slice){"text/plain", 10});
	char name[16];
	int len = snprintf(name, sizeof(name), "%u", key);

	values_insert(&values, &state, wal_index,
		      &(struct values_change){.namespace_id = ns,
					      .hash = (int64_t)(key * UINT64_C(0x9E3779B97F4A7C15)),
					      .id = key,
					      .key = {name, (size_t)len},
					      .value = value});
	cache_value_release(value);
}

static struct values_change change(int64_t ns, unsigned key)
{
	return (struct values_change){.namespace_id = ns,
				      .hash = (int64_t)(key * UINT64_C(0x9E3779B97F4A7C15))};
}

/* Whether `key` is kept, with the value `text` (NULL: any). */
static bool has(struct wal_state state, int64_t ns, unsigned key, const char *text)
{
	int64_t id = -1;
	char name[16];
	int len = snprintf(name, sizeof(name), "%u", key);
	struct cache_value *value = values_find(&values, &state, ns, change(ns, key).hash,
						(struct slice){name, (size_t)len}, &id);

	if (!value)
		return false;
	cr_assert_eq(id, key);
	bool same =
		!text || slice_equal(cache_value_bytes(value), (struct slice){text, strlen(text)});
	cache_value_release(value);
	return same;
}

static void open_values(void)
{
	values_init(&values, SPACE_BYTES);
	show(state_of(1, 1));
}

static void close_values(void)
{
	values_deinit(&values);
}

TestSuite(values, .init = open_values, .fini = close_values);

Test(values, are_found_in_their_own_state_and_namespace_only)
{
	put(state_of(1, 1), 1, 7, "seven");
	cr_expect(has(state_of(1, 1), 1, 7, "seven"));
	cr_expect(!has(state_of(2, 2), 1, 7, NULL), "a newer state");
	cr_expect(!has(state_of(1, 1), 2, 7, NULL), "another namespace");
	cr_expect(!has(state_of(1, 1), 1, 8, NULL), "another key");
}

Test(values, a_late_reader_does_not_insert)
{
	put(state_of(1, 1), 1, 7, "seven");
	show(state_of(2, 2));
	values_move(&values, &(struct wal_state){0}, &(struct wal_state){{9}}, NULL, 0);
	put(state_of(1, 1), 1, 7, "seven"); /* from an outdated snapshot */
	cr_expect(!has(state_of(1, 1), 1, 7, NULL));
	cr_expect(!has(state_of(2, 2), 1, 7, NULL));
}

Test(values, a_commit_moves_what_it_did_not_change)
{
	struct wal_state before = state_of(1, 1);
	struct wal_state after = state_of(2, 2);
	struct cache_value *value = cache_value_copy(SLICE("new"), SLICE("text/plain"));
	struct values_change changes[] = {change(1, 0), change(1, 1), change(1, 2)};

	for (unsigned i = 0; i < 4; i++)
		put(before, 1, i, "old");
	changes[1].value = value;
	changes[1].key = SLICE("1");
	changes[1].id = 1;
	show(after);
	values_move(&values, &before, &after, changes, 2);
	cr_expect(!has(after, 1, 0, NULL), "it was removed");
	cr_expect(has(after, 1, 1, "new"), "it was overwritten");
	cr_expect(has(after, 1, 2, "old"));
	cr_expect(has(after, 1, 3, "old"));
	cr_expect(!has(before, 1, 3, NULL));
	cache_value_release(value);
}

Test(values, what_is_not_known_for_sure_is_forgotten)
{
	struct wal_state first = state_of(1, 1);
	struct wal_state second = state_of(2, 2);
	struct wal_state third = state_of(3, 3);

	put(first, 1, 7, "seven");
	values_move(&values, &second, &third, NULL, 0); /* `second` was another process's */
	cr_expect(!has(third, 1, 7, NULL));
	show(third);
	put(third, 1, 7, "seven");
	values_move(&values, NULL, &first, NULL, 0);
	cr_expect(!has(first, 1, 7, NULL));
}

Test(values, a_reader_restarts_a_shard_that_others_left_behind)
{
	put(state_of(1, 1), 1, 7, "seven");
	show(state_of(2, 2));
	atomic_store(&values.writer_works, true);
	put(state_of(2, 2), 1, 7, "new");
	cr_expect(!has(state_of(2, 2), 1, 7, NULL), "the writer is to move it");
	atomic_store(&values.writer_works, false);
	put(state_of(2, 2), 1, 7, "new");
	cr_expect(has(state_of(2, 2), 1, 7, "new"));
	cr_expect(!has(state_of(1, 1), 1, 7, NULL));
}

Test(values, stay_within_their_bytes_and_a_scan_spares_what_is_hot)
{
	struct wal_state now = state_of(1, 1);
	struct values_counts counts;
	char text[400];
	unsigned hot = 0;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i < 300; i++)
		put(now, 1, i, text);
	for (unsigned i = 300; i < 20000; i++) {
		put(now, 1, i, text);
		if (i % 64 == 0)
			for (unsigned k = 0; k < 300; k++)
				(void)has(now, 1, k, text);
		if (i % 500 == 0) {
			values_count(&values, &counts);
			cr_assert_leq(counts.used_bytes, SPACE_BYTES);
		}
	}
	for (unsigned k = 0; k < 300; k++)
		hot += has(now, 1, k, text);
	values_count(&values, &counts);
	cr_expect_gt(counts.used_bytes, SPACE_BYTES / 2);
	cr_expect_gt(counts.evictions, 10000);
	cr_expect_gt(hot, 280, "%u of 300 are left", hot);
}

Test(values, one_that_is_large_stays_out)
{
	static char text[SPACE_BYTES / VALUES_SHARDS];

	memset(text, 'x', sizeof(text) - 1);
	put(state_of(1, 1), 1, 7, text);
	cr_expect(!has(state_of(1, 1), 1, 7, NULL));
}

Test(values, own_commits_are_told_from_those_of_others)
{
	struct wal_state before = state_of(5, 10);
	struct wal_state after;

	show(state_of(6, 12));
	cr_expect(wal_index_read_own(wal_index, &before, 12, &after));
	cr_expect_eq(memcmp(&after, wal_index, sizeof(after)), 0);
	cr_expect(!wal_index_read_own(wal_index, &before, 11, &after), "not ours");
	cr_expect(!wal_index_read_own(wal_index, &before, 0, &after), "ours wrote nothing");
	show(state_of(7, 12));
	cr_expect(!wal_index_read_own(wal_index, &before, 12, &after), "two commits");
	show(state_of(6, 12));
	wal_index[WAL_STATE_WORDS] ^= 1;
	cr_expect(!wal_index_read_own(wal_index, &before, 12, &after), "being written");
	show(before);
	cr_expect(wal_index_read_own(wal_index, &before, 0, &after));
}
