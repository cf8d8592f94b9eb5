/* A driver that fails: answers are correct, nothing is lost, and nothing is left half done. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/keeper/record.h"
#include "tests/drivers/hash.h"
#include "tests/support/keeper_scene.h"

static void open_plain(void)
{
	cr_assert(scene_open(&faulty_backend_ops, "medium"), "%s", scene_error);
}

static void close_it(void)
{
	faulty_hooks = (struct faulty_hooks){0};
	scene_close();
}

TestSuite(keeper_failures, .init = open_plain, .fini = close_it, .timeout = 60);
TestSuite(keeper_open, .timeout = 60);

static enum driver_status fail_apply(const struct driver_change *changes, size_t count)
{
	(void)changes;
	(void)count;
	return DRIVER_UNAVAILABLE;
}

static enum driver_status fail_get(struct slice ns, struct slice key)
{
	(void)ns;
	(void)key;
	return DRIVER_TIMEOUT;
}

static enum driver_status fail_check(void)
{
	return DRIVER_READ_ONLY;
}

static enum driver_status fail_load(void)
{
	return DRIVER_CORRUPT;
}

static void expect_same_stats(const struct namespace_stats *a, const struct namespace_stats *b)
{
	cr_expect_eq(a->entry_count, b->entry_count);
	cr_expect_eq(a->used_bytes, b->used_bytes);
	cr_expect_eq(a->total_size_bytes, b->total_size_bytes);
	cr_expect_eq(a->sets, b->sets);
	cr_expect_eq(a->deletes, b->deletes);
	cr_expect_eq(a->evictions, b->evictions);
	cr_expect_eq(a->expirations, b->expirations);
	cr_expect_float_eq(a->avg_frequency, b->avg_frequency, 1e-9);
}

/* ---- Writes ---- */

Test(keeper_failures, set_that_fails_leaves_what_was_there)
{
	cr_assert_eq(scene_set(SLICE("a"), SLICE("old")), CACHE_OK);
	struct namespace_stats before = scene_stats();
	faulty_hooks.apply = fail_apply;
	cr_expect_eq(scene_set(SLICE("a"), SLICE("new")), CACHE_UNAVAILABLE);
	cr_expect_eq(scene_set(SLICE("b"), SLICE("new")), CACHE_UNAVAILABLE);
	struct namespace_stats after = scene_stats();
	expect_same_stats(&before, &after);
	cr_expect_str_eq(scene_list(), "a:1");
	cr_expect_eq(scene_get(SLICE("a"), SLICE("old")), CACHE_OK);
	faulty_hooks.apply = NULL;
	cr_expect_eq(scene_set(SLICE("a"), SLICE("new")), CACHE_OK);
	cr_expect_eq(scene_get(SLICE("a"), SLICE("new")), CACHE_OK);
	cr_expect_str_eq(scene_list(), "a:4", "set, hit, set, hit");
	cr_expect_geq(scene_gauge("driver_failures"), 2);
}

Test(keeper_failures, eviction_that_fails_takes_nobody)
{
	cr_assert_eq(
		scene_configure(SETTING_CAPACITY | SETTING_POLICY,
				(struct namespace_settings){.capacity = 3, .policy = EVICT_LRU}),
		CACHE_OK);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(scene_set((struct slice){&"abc"[i], 1}, SLICE("v")), CACHE_OK);
		scene_now_us++;
	}
	cr_assert_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_OK); /* b is the victim */
	struct namespace_stats before = scene_stats();
	faulty_hooks.apply = fail_apply;
	cr_expect_eq(scene_set(SLICE("d"), SLICE("v")), CACHE_UNAVAILABLE);
	struct namespace_stats after = scene_stats();
	expect_same_stats(&before, &after);
	cr_expect_str_eq(scene_list(), "a:2 b:1 c:1");
	faulty_hooks.apply = NULL;
	cr_expect_eq(scene_set(SLICE("d"), SLICE("v")), CACHE_OK);
	cr_expect_str_eq(scene_list(), "a:2 c:1 d:1", "the order is that of before");
}

Test(keeper_failures, delete_clear_and_settings_that_fail_change_nothing)
{
	struct namespace_settings small = {.capacity = 1};
	struct cache_op op;

	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	cr_assert_eq(scene_set(SLICE("b"), SLICE("v")), CACHE_OK);
	struct namespace_stats before = scene_stats();
	faulty_hooks.apply = fail_apply;
	cr_expect_eq(scene_delete(SLICE("a")), CACHE_UNAVAILABLE);
	cr_expect_eq(scene_configure(SETTING_CAPACITY, small), CACHE_UNAVAILABLE);
	cache_op_init(&op, CACHE_OP_CLEAR);
	op.ns = SLICE("n");
	cr_expect_eq(backend_call(scene_backend, &op), CACHE_UNAVAILABLE);
	struct namespace_stats after = scene_stats();
	expect_same_stats(&before, &after);
	cr_expect_eq(after.settings.capacity, CAPACITY_UNLIMITED);
	cr_expect_str_eq(scene_list(), "a:1 b:1");
	faulty_hooks.apply = NULL;
	cr_expect_eq(scene_delete(SLICE("a")), CACHE_OK);
	cr_expect_str_eq(scene_list(), "b:1");
}

Test(keeper_failures, namespace_of_a_set_that_fails_is_not_made)
{
	struct cache_op op;

	faulty_hooks.apply = fail_apply;
	cr_expect_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_UNAVAILABLE);
	cache_op_init(&op, CACHE_OP_STATS);
	cr_expect_eq(backend_call(scene_backend, &op), CACHE_OK);
	cr_expect_eq(op.stats_count, 0);
	cache_op_deinit(&op);
}

Test(keeper_failures, refusals_stand_where_nothing_can_be_written)
{
	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	faulty_hooks.apply = fail_apply;
	cr_expect_eq(scene_set_if_absent(SLICE("a"), SLICE("w")), CACHE_PRECONDITION_FAILED);
	cr_expect_eq(scene_delete(SLICE("absent")), CACHE_NOT_FOUND);
}

Test(keeper_failures, expired_entries_that_cannot_be_removed_are_not_served)
{
	struct namespace_settings settings = {.default_ttl_s = 5};

	cr_assert_eq(scene_configure(SETTING_DEFAULT_TTL, settings), CACHE_OK);
	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	faulty_hooks.apply = fail_apply;
	scene_now_us += 6 * US_PER_S;
	cr_expect_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_NOT_FOUND);
	cr_expect_str_eq(scene_list(), "");
	faulty_hooks.apply = NULL;
	cr_expect_eq(scene_stats().entry_count, 0);
}

static enum driver_status answer;

static enum driver_status apply_and_lose_the_answer(const struct driver_change *changes,
						    size_t count)
{
	cr_assert_eq(hash_driver_ops.apply(faulty_driver, changes, count), DRIVER_OK);
	return answer;
}

static void expect_no_wrong_byte(enum cache_status status)
{
	cr_assert_eq(scene_set(SLICE("removed"), SLICE("v")), CACHE_OK);
	cr_assert_eq(scene_set(SLICE("replaced"), SLICE("v")), CACHE_OK);
	cr_assert_eq(scene_get(SLICE("replaced"), SLICE("v")), CACHE_OK);
	faulty_hooks.apply = apply_and_lose_the_answer;
	cr_expect_eq(scene_set(SLICE("new"), SLICE("v")), status);
	cr_expect_eq(scene_set(SLICE("replaced"), SLICE("w")), status);
	cr_expect_eq(scene_delete(SLICE("removed")), status);
	faulty_hooks.apply = NULL;
	cr_expect_eq(scene_get(SLICE("new"), SLICE("v")), CACHE_NOT_FOUND);
	cr_expect_eq(scene_get(SLICE("replaced"), SLICE("v")), CACHE_CORRUPT);
	cr_expect_eq(scene_get(SLICE("removed"), SLICE("v")), CACHE_NOT_FOUND);
	scene_close();
	open_plain();
	cr_expect_str_eq(scene_list(), "new:1 replaced:3");
	cr_expect_eq(scene_get(SLICE("replaced"), SLICE("w")), CACHE_OK);
}

Test(keeper_failures, changes_that_were_made_unknown_to_the_driver_serve_no_wrong_byte)
{
	answer = DRIVER_UNKNOWN;
	expect_no_wrong_byte(CACHE_UNAVAILABLE);
}

Test(keeper_failures, a_number_that_is_no_status_means_that_nobody_knows)
{
	answer = (enum driver_status)77;
	expect_no_wrong_byte(CACHE_INTERNAL);
	cr_expect(strstr(scene_notice, "answered 77"), "%s", scene_notice);
}

/* ---- Uses ---- */

static enum driver_status fail_uses(const struct driver_change *changes, size_t count)
{
	(void)count;
	return changes[0].kind == DRIVER_USE ? DRIVER_UNAVAILABLE : DRIVER_OK;
}

Test(keeper_failures, uses_that_could_not_be_told_are_told_later)
{
	faulty_hooks.apply = fail_uses;
	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_OK);
	cr_expect_eq(scene_sync(), CACHE_UNAVAILABLE);
	cr_expect_eq(scene_sync(), CACHE_UNAVAILABLE);
	faulty_hooks.apply = NULL;
	cr_expect_eq(scene_sync(), CACHE_OK);
	faulty_hooks.apply = fail_uses; /* close has nothing left to write */
	scene_close();
	open_plain();
	cr_expect_str_eq(scene_list(), "a:5");
}

/* ---- Sync ---- */

static unsigned uses_told, synced_after_uses;

static enum driver_status count_uses(const struct driver_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		uses_told += changes[i].kind == DRIVER_USE;
	return DRIVER_OK;
}

static enum driver_status sync_well(void)
{
	synced_after_uses = uses_told;
	return DRIVER_OK;
}

static enum driver_status sync_ill(void)
{
	return DRIVER_NO_SPACE;
}

static enum driver_status sync_oddly(void)
{
	return DRIVER_NOT_FOUND;
}

Test(keeper_failures, sync_asks_the_driver_after_the_uses)
{
	faulty_hooks.apply = count_uses;
	faulty_hooks.sync = sync_well;
	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	cr_assert_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_OK);
	cr_expect_eq(scene_sync(), CACHE_OK);
	cr_expect_eq(synced_after_uses, 1);
	faulty_hooks.sync = sync_ill;
	cr_expect_eq(scene_sync(), CACHE_NO_SPACE);
	faulty_hooks.sync = sync_oddly;
	cr_expect_eq(scene_sync(), CACHE_INTERNAL);
}

/* ---- Reads ---- */

Test(keeper_failures, get_that_fails_is_no_use)
{
	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	faulty_hooks.get = fail_get;
	cr_expect_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_TIMEOUT);
	cr_expect_eq(scene_get(SLICE("absent"), SLICE("v")), CACHE_NOT_FOUND, "known without it");
	struct namespace_stats stats = scene_stats();
	cr_expect_eq(stats.hits, 0);
	cr_expect_eq(stats.misses, 1);
	faulty_hooks.get = NULL;
	cr_expect_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_OK);
	cr_expect_str_eq(scene_list(), "a:2");
}

static enum driver_status fail_get_of_c(struct slice ns, struct slice key)
{
	(void)ns;
	return slice_equal(key, SLICE("c")) ? DRIVER_UNAVAILABLE : DRIVER_OK;
}

Test(keeper_failures, batch_of_which_one_get_fails_has_no_values)
{
	struct cache_item items[3] = {
		{.key = SLICE("a")}, {.key = SLICE("b")}, {.key = SLICE("c")}};
	struct cache_op op;

	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(scene_set(items[i].key, SLICE("v")), CACHE_OK);
	faulty_hooks.get = fail_get_of_c;
	cache_op_init(&op, CACHE_OP_GET);
	op.ns = SLICE("n");
	op.items = items;
	op.item_count = 3;
	cr_expect_eq(backend_call(scene_backend, &op), CACHE_UNAVAILABLE);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_null(items[i].value);
	cache_op_deinit(&op);
	cr_expect_str_eq(scene_list(), "a:1 b:1 c:1", "no uses");
}

Test(keeper_failures, value_that_the_driver_has_lost_is_a_miss)
{
	struct driver_change lost = {.kind = DRIVER_REMOVE, .ns = SLICE("n"), .key = SLICE("a")};

	cr_assert_eq(scene_set(SLICE("a"), SLICE("v")), CACHE_OK);
	cr_assert_eq(scene_set(SLICE("b"), SLICE("v")), CACHE_OK);
	cr_assert_eq(hash_driver_ops.apply(faulty_driver, &lost, 1), DRIVER_OK);
	cr_expect_eq(scene_get(SLICE("a"), SLICE("v")), CACHE_NOT_FOUND);
	cr_expect_str_eq(scene_list(), "b:1", "and it is gone from then on");
	struct namespace_stats stats = scene_stats();
	cr_expect_eq(stats.entry_count, 1);
	cr_expect_eq(stats.misses, 1);
	cr_expect_eq(scene_set(SLICE("a"), SLICE("new")), CACHE_OK);
	cr_expect_eq(scene_get(SLICE("a"), SLICE("new")), CACHE_OK);
}

/* ---- Damage ---- */

/* The head of a record of the namespace "n", as the driver has it. */
struct search {
	struct slice key;
	char head[RECORD_HEAD_MAX_BYTES];
	size_t len;
};

static bool find_head(void *user, struct slice ns, struct slice key, struct slice head,
		      uint64_t body_len)
{
	struct search *search = user;

	(void)body_len;
	if (slice_equal(ns, SLICE("n")) && slice_equal(key, search->key)) {
		memcpy(search->head, head.data, head.len);
		search->len = head.len;
	}
	return true;
}

/* Puts another body under the head of `key`, or, with `bit`, another head over its body. */
static void damage(struct driver *driver, struct slice key, struct slice body, int bit)
{
	struct search search = {.key = key};

	cr_assert_eq(hash_driver_ops.load(driver, find_head, &search), DRIVER_OK);
	cr_assert_gt(search.len, 0);
	if (bit >= 0)
		search.head[bit / 8] = (char)(search.head[bit / 8] ^ (1 << bit % 8));
	struct driver_change change = {
		.kind = DRIVER_PUT,
		.ns = SLICE("n"),
		.key = key,
		.head = {search.head, search.len},
		.body = body,
	};
	cr_assert_eq(hash_driver_ops.apply(driver, &change, 1), DRIVER_OK);
}

Test(keeper_failures, damaged_value_is_not_served)
{
	cr_assert_eq(scene_set(SLICE("a"), SLICE("value")), CACHE_OK);
	damage(faulty_driver, SLICE("a"), SLICE("valuE"), -1);
	cr_expect_eq(scene_get(SLICE("a"), SLICE("valuE")), CACHE_CORRUPT);
	damage(faulty_driver, SLICE("a"), SLICE("longer value"), -1);
	cr_expect_eq(scene_get(SLICE("a"), SLICE("longer value")), CACHE_CORRUPT);
	cr_expect_eq(scene_set(SLICE("a"), SLICE("new")), CACHE_OK);
	cr_expect_eq(scene_get(SLICE("a"), SLICE("new")), CACHE_OK, "a set heals it");
}

Test(keeper_failures, damaged_heads_are_left_out_and_told)
{
	struct cache_op op;
	struct driver *medium;
	struct driver_config config = {.data_dir = "medium"};
	char error[64];

	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(scene_set((struct slice){&"abc"[i], 1}, SLICE("v")), CACHE_OK);
	scene_close();
	cr_assert_eq(hash_driver_ops.open(&config, &medium, error, sizeof(error)), DRIVER_OK);
	damage(medium, SLICE("a"), SLICE("v"), 100);
	damage(medium, SLICE("c"), SLICE("of another length"), -1);
	hash_driver_ops.close(medium);
	open_plain();
	cr_expect_str_eq(scene_list(), "b:1");
	cr_expect_str_eq(scene_notice,
			 "faulty: 2 damaged records are left out: their entries are misses");
	cr_expect_eq(scene_gauge("damaged_records"), 2);
	cache_op_init(&op, CACHE_OP_CHECK);
	cr_assert_eq(backend_call(scene_backend, &op), CACHE_OK);
	cr_expect(op.checks[0].ok);
	cr_expect_str_eq(op.checks[0].detail, "2 damaged records are left out");
	cr_expect_eq(scene_set(SLICE("a"), SLICE("new")), CACHE_OK);
	scene_close();
	open_plain();
	cr_expect_str_eq(scene_list(), "a:1 b:1");
}

/* ---- Check ---- */

Test(keeper_failures, check_says_what_the_driver_says)
{
	struct cache_op op;

	faulty_hooks.check = fail_check;
	cache_op_init(&op, CACHE_OP_CHECK);
	cr_expect_eq(backend_call(scene_backend, &op), CACHE_OK);
	cr_assert_eq(op.check_count, 1);
	cr_expect_not(op.checks[0].ok);
	cr_expect_str_eq(op.checks[0].detail, "as the test says");
	cr_expect_str_eq(op.checks[0].name, "store");
	cache_op_deinit(&op);
}

/* By that a client knows that what it stores will not last. */
Test(keeper_failures, what_ends_with_the_process_is_a_memory)
{
	struct cache_op op;

	scene_close();
	cr_assert(scene_open(&faulty_forgetful_backend_ops, "medium"), "%s", scene_error);
	cache_op_init(&op, CACHE_OP_CHECK);
	cr_expect_eq(backend_call(scene_backend, &op), CACHE_OK);
	cr_assert_eq(op.check_count, 1);
	cr_expect_str_eq(op.checks[0].name, "memory");
	cache_op_deinit(&op);
}

/* ---- Open ---- */

Test(keeper_open, store_that_cannot_be_read_does_not_open)
{
	faulty_hooks.load = fail_load;
	cr_expect_null(scene_open(&faulty_backend_ops, "medium"));
	cr_expect(strstr(scene_error, "cannot be read"), "%s", scene_error);
	faulty_hooks.load = NULL;
	cr_expect(scene_open(&faulty_backend_ops, "medium"), "the driver was closed");
	scene_close();
}

Test(keeper_open, driver_that_reports_an_entry_twice_is_refused)
{
	open_plain();
	cr_assert_eq(scene_set(SLICE("k"), SLICE("v")), CACHE_OK);
	scene_close();
	faulty_hooks.loads_twice = true;
	cr_expect_null(scene_open(&faulty_backend_ops, "medium"));
	cr_expect(strstr(scene_error, "twice"), "%s", scene_error);
	faulty_hooks.loads_twice = false;
	open_plain();
	cr_expect_eq(scene_get(SLICE("k"), SLICE("v")), CACHE_OK);
	scene_close();
}

Test(keeper_open, driver_of_another_abi_is_refused)
{
	cr_expect_null(scene_open(&faulty_future_backend_ops, "medium"));
	cr_expect_str_eq(scene_error, "faulty: the driver is made for version 2 of driver.h, and "
				      "this server has version 1");
}

Test(keeper_open, second_open_of_a_store_is_refused)
{
	struct backend *first = scene_open(&faulty_backend_ops, "medium");
	struct backend *other;

	cr_assert(first);
	cr_expect_null(scene_open(&faulty_backend_ops, "medium"));
	cr_expect_str_eq(scene_error, "hash: medium is in use");
	other = scene_open(&faulty_backend_ops, "another");
	cr_assert(other);
	other->ops->close(other);
	first->ops->close(first);
	cr_assert(scene_open(&faulty_backend_ops, "medium"));
	scene_close();
}

/* ---- A driver that fails now and then, against one that does not ---- */

static uint64_t random_state;

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % sides;
}

static bool fails;

static enum driver_status fail_as_told(const struct driver_change *changes, size_t count)
{
	(void)changes;
	(void)count;
	return fails ? DRIVER_NO_SPACE : DRIVER_OK;
}

/* One random operation on the tested backend and, unless it failed, on the model. */
static void random_step(struct backend *tested, struct backend *model)
{
	struct namespace_settings settings = {.capacity = 3 + roll(20),
					      .policy = (enum eviction_policy)roll(3)};
	char key[8];
	unsigned dice = roll(100);

	(void)snprintf(key, sizeof(key), "%u", roll(30));
	scene_now_us += roll(3000000);
	fails = roll(3) == 0;
	for (int i = 0; i < 2; i++) {
		enum cache_status status;

		scene_backend = i ? model : tested;
		if (dice < 50)
			status = scene_set(slice_of(key), slice_of(key));
		else if (dice < 85)
			status = scene_get(slice_of(key), slice_of(key));
		else if (dice < 95)
			status = scene_delete(slice_of(key));
		else
			status = scene_configure(SETTING_CAPACITY | SETTING_POLICY, settings);
		if (status == CACHE_NO_SPACE)
			break;
	}
	fails = false;
}

Test(keeper_failures, failures_leave_no_trace)
{
	struct backend *tested = scene_backend;
	struct backend *model = scene_open(backend_find("memory"), "model");

	faulty_hooks.apply = fail_as_told;
	for (unsigned i = 0; i < 2; i++) {
		scene_backend = i ? model : tested;
		cr_assert_eq(scene_configure(SETTING_POLICY, (struct namespace_settings){0}),
			     CACHE_OK);
	}
	for (unsigned i = 0; i < 4000; i++) {
		char expected[4096];

		random_step(tested, model);
		if (i % 100 == 99) { /* the driver has what the keeper knows */
			scene_backend = tested;
			scene_close();
			open_plain();
			tested = scene_backend;
		}
		scene_backend = model;
		(void)snprintf(expected, sizeof(expected), "%s", scene_list());
		scene_backend = tested;
		cr_assert_str_eq(scene_list(), expected, "after %u steps", i + 1);
	}
	model->ops->close(model);
	scene_backend = tested;
}
