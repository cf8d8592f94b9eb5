/* The clock of the order of eviction, alone and in a database file. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/order_clock.h"
#include "store/find.h"
#include "tests/support/temp_dir.h"

#define HOUR_US  (3600 * US_PER_S)
#define START_US INT64_C(1700000000000000)

Test(order_clock, is_the_wall_clock_while_that_goes_on)
{
	struct order_clock clock = {0};

	for (int64_t us = START_US; us < START_US + US_PER_S; us += 777) {
		cr_assert_eq(order_clock_at(&clock, us), us);
		cr_assert_eq(order_clock_to_wall(&clock, us, us), us);
		cr_assert_eq(order_clock_of_past(&clock, us - 5, us), us - 5);
		cr_assert_eq(order_clock_of_past(&clock, us + 5, us), us);
	}
}

Test(order_clock, goes_on_at_the_same_pace_where_that_is_set_back)
{
	struct order_clock clock = {0};
	int64_t last_us = order_clock_at(&clock, START_US);
	int64_t wall_us = START_US;

	for (int i = 0; i < 5; i++) {
		wall_us -= HOUR_US;
		int64_t first_us = order_clock_at(&clock, wall_us);
		cr_assert_gt(first_us, last_us);
		wall_us += 60 * US_PER_S;
		last_us = order_clock_at(&clock, wall_us);
		cr_assert_eq(last_us - first_us, 60 * US_PER_S);
		cr_assert_eq(order_clock_to_wall(&clock, last_us, wall_us), wall_us);
		cr_assert_eq(order_clock_of_past(&clock, wall_us - US_PER_S, wall_us),
			     last_us - US_PER_S);
	}
	/* It has caught up. */
	wall_us += 6 * HOUR_US;
	cr_assert_eq(order_clock_at(&clock, wall_us), wall_us);
}

Test(order_clock, a_reading_that_comes_late_does_not_change_it)
{
	struct order_clock clock = {0};

	cr_assert_eq(order_clock_at(&clock, START_US), START_US);
	cr_assert_eq(order_clock_at(&clock, START_US - 5000), START_US);
	cr_assert_eq(order_clock_at(&clock, START_US + 1), START_US + 1);
}

Test(order_clock, is_kept_over_the_end_of_the_process)
{
	struct order_clock clock = {0};
	struct order_clock next = {0};
	struct order_clock_state state;

	(void)order_clock_at(&clock, START_US);
	int64_t last_us = order_clock_at(&clock, START_US - HOUR_US);
	order_clock_save(&clock, &state);
	order_clock_restore(&next, &state);
	cr_assert_eq(order_clock_at(&next, START_US - HOUR_US + US_PER_S), last_us + US_PER_S);
	cr_assert_gt(order_clock_at(&next, START_US - 2 * HOUR_US), last_us + US_PER_S);
	order_clock_reach(&next, START_US + 9 * HOUR_US);
	cr_assert_gt(order_clock_at(&next, START_US), START_US + 9 * HOUR_US);
}

/* ---- In a file ---- */

static struct backend *open_store(const struct temp_dir *dir)
{
	struct backend_config config = {.data_dir = dir->path};
	char error[256] = "";
	struct backend *backend = backend_find("sqlite")->open(&config, error, sizeof(error));

	cr_assert_not_null(backend, "%s", error);
	return backend;
}

static void call(struct backend *backend, struct cache_op *op)
{
	op->ns = SLICE("n");
	cr_assert_eq(backend_call(backend, op), CACHE_OK);
}

static void set_capacity(struct backend *backend, int64_t capacity, enum eviction_policy policy)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.settings.capacity = capacity;
	op.settings.policy = policy;
	op.settings_mask = SETTING_CAPACITY | SETTING_POLICY;
	call(backend, &op);
	cache_op_deinit(&op);
}

static void set(struct backend *backend, const char *name, unsigned number)
{
	char key[16];
	struct cache_op op;
	struct cache_value *value = cache_value_create(1, SLICE("text/plain"));

	(void)snprintf(key, sizeof(key), "%s%u", name, number);
	*cache_value_data(value) = 'v';
	cache_value_seal(value);
	cache_op_init(&op, CACHE_OP_SET);
	op.one.key = slice_of(key);
	op.one.value = value;
	call(backend, &op);
	cache_op_deinit(&op);
	cache_value_release(value);
}

static unsigned count_of(struct backend *backend, const char *prefix)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SCAN);
	op.prefix = slice_of(prefix);
	op.limit = 100;
	call(backend, &op);
	unsigned count = (unsigned)op.entry_count;
	cache_op_deinit(&op);
	return count;
}

/* A file of a version that trusted every clock, with entries of the year 2100. */
static void make_older_file(const struct temp_dir *dir, enum eviction_policy policy)
{
	struct backend *backend = open_store(dir);
	char path[TEMP_PATH_SIZE + 32];
	sqlite3 *db = NULL;

	set_capacity(backend, 8, policy);
	for (unsigned i = 0; i < 8; i++)
		set(backend, "old", i);
	backend->ops->close(backend);
	(void)snprintf(path, sizeof(path), "%s/steadycache.db", dir->path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db,
				  "DELETE FROM meta WHERE name GLOB 'order_*';"
				  "UPDATE uses SET created = 4102444800000000 + id,"
				  " last_access = 4102444800000000 + id",
				  NULL, NULL, NULL),
		     SQLITE_OK);
	(void)sqlite3_close(db);
}

Test(order_clock, entries_of_an_older_file_that_are_from_the_future_go_in_their_turn)
{
	static const enum eviction_policy policies[] = {EVICT_FIFO, EVICT_LRU, EVICT_FRECENCY};

	for (size_t i = 0; i < 3; i++) {
		struct temp_dir dir;

		temp_dir_create(&dir);
		make_older_file(&dir, policies[i]);
		for (unsigned k = 0; k < 8; k++) {
			struct backend *backend = open_store(&dir);

			set(backend, "new", k);
			cr_expect_eq(count_of(backend, "new"), k + 1, "%s",
				     eviction_policy_name(policies[i]));
			cr_expect_eq(count_of(backend, "old"), 7 - k, "%s",
				     eviction_policy_name(policies[i]));
			backend->ops->close(backend);
		}
		temp_dir_destroy(&dir);
	}
}
