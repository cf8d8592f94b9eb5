/* Large values of SQLite that readers hold (backends/sqlite/read/large.c): each once, and all of
 * them within a bound. */
#include <criterion/criterion.h>

#include "backends/sqlite/read/large.h"

static struct large large;

static void run(void *user, struct cache_op *op)
{
	(void)user;
	cache_op_complete(op, CACHE_OK);
}

static void open_large(void)
{
	cr_assert(large_open(&large, run, NULL));
}

static void close_large(void)
{
	large_close(&large);
}

TestSuite(large, .init = open_large, .fini = close_large);

static struct cache_value *make(const char *text, int64_t modified_at_us)
{
	struct cache_value *value = cache_value_copy(slice_of(text), SLICE("text/x"));

	value->modified_at_us = modified_at_us;
	return value;
}

static struct large_key key_of(const struct cache_value *value)
{
	return (struct large_key){
		.etag = value->etag,
		.type = slice_of(cache_value_content_type(value)),
		.modified_at_us = value->modified_at_us,
		.expires_at_us = value->expires_at_us,
	};
}

Test(large, is_there_once_as_long_as_somebody_holds_it)
{
	cr_assert(large_reserve(&large, 3));
	struct cache_value *value = large_add(&large, 3, make("abc", 1));
	struct large_key key = key_of(value);

	cr_expect_eq(large_find(&large, &key), value);
	cache_value_release(value);
	/* A reader that has read it at the same moment gets the existing copy. */
	cr_assert(large_reserve(&large, 3));
	cr_expect_eq(large_add(&large, 3, make("abc", 1)), value);
	cache_value_release(value);
	key.modified_at_us = 2;
	cr_expect_null(large_find(&large, &key));
	key.modified_at_us = 1;
	key.type = SLICE("text/y");
	cr_expect_null(large_find(&large, &key));
	key.type = SLICE("text/x");
	large_tidy(&large);
	cr_expect_eq(large_find(&large, &key), value);
	cache_value_release(value);
	cache_value_release(value);
	large_tidy(&large);
	cr_expect_null(large_find(&large, &key));
}

Test(large, all_of_them_have_a_bound_and_one_is_always_let_in)
{
	cr_assert(large_reserve(&large, 2 * LARGE_HELD_MAX));
	cr_expect_not(large_reserve(&large, 1));
	/* It could not be allocated. */
	cr_expect_null(large_add(&large, 2 * LARGE_HELD_MAX, NULL));
	for (uint64_t i = 0; i < 16; i++)
		cr_assert(large_reserve(&large, LARGE_HELD_MAX / 16));
	cr_expect_not(large_reserve(&large, 1));
	cr_expect_null(large_add(&large, LARGE_HELD_MAX / 16, NULL));
	cr_expect(large_reserve(&large, 1));
}

static void note_done(struct cache_op *op)
{
	atomic_fetch_add((atomic_uint *)op->user, 1);
}

Test(large, what_waits_is_run_before_the_end)
{
	static struct cache_op ops[100];
	atomic_uint done = 0;

	for (size_t i = 0; i < 100; i++) {
		cache_op_init(&ops[i], CACHE_OP_GET);
		ops[i].done = note_done;
		ops[i].user = &done;
		large_submit(&large, &ops[i]);
	}
	large_close(&large);
	cr_expect_eq(done, 100);
}
