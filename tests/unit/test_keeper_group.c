/* A driver that blocks: waiting writes become one apply, yet each gets its own answer. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests/support/keeper_scene.h"

#define OPS 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_held, is_inside;
static unsigned applies, done_count;
static enum driver_status status_of_all;

/* Blocks as long as the test holds the driver. */
static enum driver_status hold(const struct driver_change *changes, size_t count)
{
	enum driver_status status = status_of_all;

	(void)pthread_mutex_lock(&lock);
	applies += changes[0].kind != DRIVER_USE;
	is_inside = true;
	(void)pthread_cond_broadcast(&changed);
	while (is_held)
		(void)pthread_cond_wait(&changed, &lock);
	is_inside = false;
	(void)pthread_mutex_unlock(&lock);
	for (size_t i = 0; i < count; i++)
		if (slice_starts_with(changes[i].key, SLICE("poison")))
			status = DRIVER_TOO_LARGE;
	return status;
}

static void let_go(void)
{
	(void)pthread_mutex_lock(&lock);
	is_held = false;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static struct cache_op ops[OPS];
static char keys[OPS][16];
static pthread_t submitter;

static void op_done(struct cache_op *op)
{
	(void)op;
	/* The keeper holds no lock here. */
	cr_assert_not(pthread_equal(pthread_self(), submitter), "it must not wait for a disk");
	(void)pthread_mutex_lock(&lock);
	done_count++;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void submit(unsigned i, enum cache_op_type type, const char *key)
{
	cache_op_init(&ops[i], type);
	(void)snprintf(keys[i], sizeof(keys[i]), "%s", key);
	ops[i].ns = SLICE("n");
	ops[i].one.key = slice_of(keys[i]);
	if (type == CACHE_OP_SET)
		ops[i].one.value = cache_value_copy(SLICE("v"), SLICE(""));
	ops[i].done = op_done;
	backend_submit(scene_backend, &ops[i]);
}

/* The first write is in the driver; the following ones wait. */
static void hold_the_driver(void)
{
	submitter = pthread_self();
	(void)pthread_mutex_lock(&lock);
	is_held = true;
	(void)pthread_mutex_unlock(&lock);
	submit(0, CACHE_OP_SET, "first");
	(void)pthread_mutex_lock(&lock);
	while (!is_inside)
		(void)pthread_cond_wait(&changed, &lock);
	applies = 0;
	(void)pthread_mutex_unlock(&lock);
}

static void wait_for(unsigned count)
{
	(void)pthread_mutex_lock(&lock);
	while (done_count < count)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < count; i++)
		if (ops[i].type == CACHE_OP_SET)
			cache_value_release(ops[i].one.value);
		else
			cache_op_deinit(&ops[i]);
}

static void open_blocking(void)
{
	cr_assert(scene_open(&faulty_blocking_backend_ops, "medium"), "%s", scene_error);
	cr_assert_eq(scene_set(SLICE("there"), SLICE("v")), CACHE_OK);
	faulty_hooks.apply = hold;
}

static void close_it(void)
{
	faulty_hooks = (struct faulty_hooks){0};
	scene_close();
}

TestSuite(keeper_group, .init = open_blocking, .fini = close_it, .timeout = 60);

Test(keeper_group, writes_that_wait_are_one_apply)
{
	hold_the_driver();
	for (unsigned i = 1; i < OPS; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "key %u", i);
		submit(i, CACHE_OP_SET, key);
	}
	let_go();
	wait_for(OPS);
	for (unsigned i = 0; i < OPS; i++)
		cr_expect_eq(ops[i].status, CACHE_OK);
	cr_expect_eq(applies, 1);
	cr_expect_eq(scene_stats().entry_count, OPS + 1);
	scene_close();
	faulty_hooks = (struct faulty_hooks){0};
	cr_assert(scene_open(&faulty_blocking_backend_ops, "medium"));
	cr_expect_eq(scene_stats().entry_count, OPS + 1, "all are stored");
}

Test(keeper_group, each_sees_what_those_before_it_did)
{
	hold_the_driver();
	for (unsigned i = 1; i < 5; i++) {
		cache_op_init(&ops[i], CACHE_OP_SET);
		ops[i].one.condition.kind = i < 4 ? CONDITION_ABSENT : CONDITION_PRESENT;
		ops[i].ns = SLICE("n");
		ops[i].one.key = SLICE("new");
		ops[i].one.value = cache_value_copy(SLICE("v"), SLICE(""));
		ops[i].done = op_done;
		backend_submit(scene_backend, &ops[i]);
	}
	submit(5, CACHE_OP_DELETE, "new");
	submit(6, CACHE_OP_DELETE, "new");
	submit(7, CACHE_OP_SET, "new");
	submit(8, CACHE_OP_DELETE, "there");
	let_go();
	wait_for(9);
	cr_expect_eq(ops[1].status, CACHE_OK);
	cr_expect_eq(ops[2].status, CACHE_PRECONDITION_FAILED);
	cr_expect_eq(ops[3].status, CACHE_PRECONDITION_FAILED);
	cr_expect_eq(ops[4].status, CACHE_OK);
	cr_expect_eq(ops[5].status, CACHE_OK);
	cr_expect_eq(ops[6].status, CACHE_NOT_FOUND);
	cr_expect_eq(ops[7].status, CACHE_OK);
	cr_expect(ops[7].one.created);
	cr_expect_eq(applies, 1);
	cr_expect_str_eq(scene_list(), "first:1 new:1");
}

Test(keeper_group, failure_of_one_is_not_that_of_the_others)
{
	hold_the_driver();
	submit(1, CACHE_OP_SET, "a");
	submit(2, CACHE_OP_SET, "poison");
	submit(3, CACHE_OP_SET, "b");
	submit(4, CACHE_OP_DELETE, "there");
	let_go();
	wait_for(5);
	cr_expect_eq(ops[1].status, CACHE_OK);
	cr_expect_eq(ops[2].status, CACHE_TOO_LARGE);
	cr_expect_eq(ops[3].status, CACHE_OK);
	cr_expect_eq(ops[4].status, CACHE_OK);
	cr_expect_str_eq(scene_list(), "a:1 b:1 first:1");
}

Test(keeper_group, failure_of_the_store_is_that_of_all)
{
	hold_the_driver();
	submit(1, CACHE_OP_SET, "a");
	submit(2, CACHE_OP_DELETE, "there");
	submit(3, CACHE_OP_DELETE, "absent");
	status_of_all = DRIVER_UNAVAILABLE; /* the first is already inside */
	let_go();
	wait_for(4);
	status_of_all = DRIVER_OK;
	cr_expect_eq(ops[0].status, CACHE_OK);
	for (unsigned i = 1; i < 4; i++)
		cr_expect_eq(ops[i].status, CACHE_UNAVAILABLE, "%u", i);
	cr_expect_eq(applies, 1, "it is not asked again for each");
	cr_expect_str_eq(scene_list(), "first:1 there:1");
}

/* A sentence about the namespace would explain the wrong failure. */
Test(keeper_group, failure_of_the_store_takes_back_what_an_op_was_told)
{
	struct namespace_settings full = {.capacity = 2, .policy = EVICT_NONE};

	faulty_hooks.apply = NULL;
	cr_assert_eq(scene_configure(SETTING_CAPACITY | SETTING_POLICY, full), CACHE_OK);
	faulty_hooks.apply = hold;
	hold_the_driver();
	submit(1, CACHE_OP_SET, "too many");
	submit(2, CACHE_OP_DELETE, "there");
	status_of_all = DRIVER_UNAVAILABLE;
	let_go();
	wait_for(3);
	status_of_all = DRIVER_OK;
	cr_expect_eq(ops[1].status, CACHE_UNAVAILABLE);
	cr_expect_null(ops[1].detail, "%s", ops[1].detail);
}

Test(keeper_group, what_waits_while_the_process_ends_is_refused)
{
	hold_the_driver();
	submit(1, CACHE_OP_SET, "a");
	submit(2, CACHE_OP_GET, "there");
	scene_backend->ops->hurry(scene_backend);
	struct timespec while_it_hangs = {.tv_sec = 1, .tv_nsec = 600000000};
	(void)nanosleep(&while_it_hangs, NULL);
	let_go();
	wait_for(3);
	cr_expect_eq(ops[0].status, CACHE_OK);
	cr_expect_eq(ops[1].status, CACHE_UNAVAILABLE);
}
