/* Entries from elsewhere beside those of a store that others write to. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>

#include "store/find.h"
#include "store/merge.h"
#include "tests/support/threads.h"

#define KEYS 64

static struct backend *backend;

static void open_backend(void)
{
	static const struct backend_config config;
	char error[200] = "";

	backend = backend_find("memory")->open(&config, error, sizeof(error));
	cr_assert(backend, "%s", error);
}

static void close_backend(void)
{
	backend->ops->close(backend);
}

TestSuite(merge, .init = open_backend, .fini = close_backend, .timeout = 60);

static struct slice key_of(size_t i)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

	return (struct slice){.data = digits + i, .len = 1};
}

/* From any thread. */
static void set(size_t i, struct slice text)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = SLICE("ns");
	op.one.key = key_of(i);
	op.one.value = cache_value_copy(text, SLICE(CONTENT_TYPE_TEXT));
	(void)backend_call(backend, &op);
	cache_value_release(op.one.value);
}

static void expect_value(size_t i, struct slice expected)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_GET);
	op.ns = SLICE("ns");
	op.one.key = key_of(i);
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	cr_expect(slice_equal(cache_value_bytes(op.one.value), expected), "%zu: %.*s", i,
		  (int)op.one.value->len_bytes, cache_value_bytes(op.one.value).data);
	cache_op_deinit(&op);
}

static const struct cache_history for_ever = {.frequency = 5, .created_at_us = 1000000};

struct coming {
	struct merge_entry entries[KEYS];
	struct merge merge;
};

/* `count` entries of one text, stored at `modified_us` where they come from. */
static void fill(struct coming *coming, size_t count, struct slice text, int64_t modified_us,
		 enum merge_policy policy)
{
	*coming = (struct coming){0};
	for (size_t i = 0; i < count; i++)
		coming->entries[i] = (struct merge_entry){
			.item = {.key = key_of(i),
				 .value = cache_value_copy(text, SLICE(CONTENT_TYPE_TEXT)),
				 .history = &for_ever},
			.modified_us = modified_us,
		};
	coming->merge = (struct merge){
		.backend = backend,
		.policy = policy,
		.ns = SLICE("ns"),
		.entries = coming->entries,
		.count = count,
	};
}

static void release(struct coming *coming)
{
	for (size_t i = 0; i < coming->merge.count; i++)
		cache_value_release(coming->entries[i].item.value);
}

static void expect_merged(struct coming *coming, size_t stored, size_t kept)
{
	cr_assert_eq(merge_run(&coming->merge), CACHE_OK);
	for (size_t i = 0; i < coming->merge.count; i++) {
		stored -= coming->entries[i].outcome == MERGE_STORED;
		kept -= coming->entries[i].outcome == MERGE_KEPT;
	}
	cr_expect_eq(stored, 0);
	cr_expect_eq(kept, 0);
	release(coming);
}

#define PAST_US   1000000
#define FUTURE_US HISTORY_MAX_US

Test(merge, the_policy_says_which_stays)
{
	static const bool ways[] = {false, true};
	struct coming coming;

	for (size_t i = 0; i < 2; i++) {
		set(0, SLICE("mine"));
		fill(&coming, 1, SLICE("older"), PAST_US, MERGE_NEWER);
		coming.merge.is_alone = ways[i];
		expect_merged(&coming, 0, 1);
		fill(&coming, 1, SLICE("unknown"), 0, MERGE_NEWER);
		coming.merge.is_alone = ways[i];
		expect_merged(&coming, 0, 1);
		fill(&coming, 1, SLICE("later"), FUTURE_US, MERGE_KEEP);
		coming.merge.is_alone = ways[i];
		expect_merged(&coming, 0, 1);
		expect_value(0, SLICE("mine"));
		fill(&coming, 1, SLICE("dry"), FUTURE_US, MERGE_NEWER);
		coming.merge.is_dry = true;
		expect_merged(&coming, 1, 0);
		expect_value(0, SLICE("mine"));
		fill(&coming, 1, SLICE("later"), FUTURE_US, MERGE_NEWER);
		coming.merge.is_alone = ways[i];
		expect_merged(&coming, 1, 0);
		expect_value(0, SLICE("later"));
		/* The same is not stored again, however late it was stored. */
		fill(&coming, 1, SLICE("later"), FUTURE_US, MERGE_NEWER);
		expect_merged(&coming, 0, 1);
		fill(&coming, 1, SLICE("any"), PAST_US, MERGE_REPLACE);
		coming.merge.is_alone = ways[i];
		expect_merged(&coming, 1, 0);
		expect_value(0, SLICE("any"));
	}
}

Test(merge, what_follows_takes_the_place_of_that_version_alone)
{
	static const enum merge_policy policies[] = {MERGE_NEWER, MERGE_KEEP};
	struct coming coming;

	for (size_t i = 0; i < 2; i++) {
		struct cache_value *first =
			cache_value_copy(SLICE("first"), SLICE(CONTENT_TYPE_TEXT));

		set(0, SLICE("first"));
		set(1, SLICE("another's"));
		fill(&coming, 3, SLICE("second"), PAST_US, policies[i]);
		for (size_t j = 0; j < 3; j++)
			coming.entries[j].follows = &first->etag;
		expect_merged(&coming, 1, 2);
		expect_value(0, SLICE("second"));
		expect_value(1, SLICE("another's"));
		cache_value_release(first);
	}
}

Test(merge, what_fails_alone_fails_alone)
{
	struct coming coming;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = SLICE("ns");
	op.settings.max_size_bytes = 2000;
	op.settings_mask = SETTING_MAX_SIZE;
	cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	for (int is_alone = 0; is_alone < 2; is_alone++) {
		fill(&coming, 3, SLICE("small"), FUTURE_US, MERGE_REPLACE);
		coming.merge.is_alone = is_alone;
		cache_value_release(coming.entries[1].item.value);
		coming.entries[1].item.value = cache_value_create(5000, SLICE("a/b"));
		cache_value_seal(coming.entries[1].item.value);
		cr_assert_eq(merge_run(&coming.merge), CACHE_OK);
		cr_expect_eq(coming.entries[0].outcome, MERGE_STORED);
		cr_expect_eq(coming.entries[1].outcome, MERGE_FAILED);
		cr_expect_eq(coming.entries[1].status, CACHE_TOO_LARGE);
		cr_expect_eq(coming.entries[2].outcome, MERGE_STORED);
		release(&coming);
	}
}

static atomic_uint arrived;

/* One thread merges, the other writes every key once meanwhile. */
static const char *merge_or_write(size_t index, void *user)
{
	struct coming *coming = user;

	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < 2)
		;
	if (index == 0)
		return merge_run(&coming->merge) == CACHE_OK ? NULL : "merge_run has failed";
	for (size_t i = KEYS; i-- > 0;)
		set(i, SLICE("written meanwhile"));
	return NULL;
}

Test(merge, nothing_older_replaces_what_is_written_meanwhile)
{
	for (int round = 0; round < 200; round++) {
		struct coming coming;
		struct cache_op op;

		atomic_store(&arrived, 0);
		fill(&coming, KEYS, SLICE("older"), PAST_US, MERGE_NEWER);
		const char *failure = in_threads(2, merge_or_write, &coming);
		cr_assert_null(failure, "%s", failure);
		release(&coming);
		for (size_t i = 0; i < KEYS; i++)
			expect_value(i, SLICE("written meanwhile"));
		cache_op_init(&op, CACHE_OP_CLEAR);
		op.ns = SLICE("ns");
		cr_assert_eq(backend_call(backend, &op), CACHE_OK);
	}
}
