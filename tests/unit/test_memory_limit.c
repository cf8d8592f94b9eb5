/* The memory limit of the memory backend, over all namespaces. Its health check reports the
 * usage. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

#include "backends/memory/memory.h"
#include "store/find.h"

#define LIMIT_BYTES (UINT64_C(2) << 20)

static struct backend *open_backend(void)
{
	static const struct memory_settings settings = {.max_bytes = LIMIT_BYTES};
	static struct backend_config config = {.settings = &settings};
	char error[128] = "";
	struct backend *backend = backend_find("memory")->open(&config, error, sizeof(error));

	cr_assert(backend, "%s", error);
	return backend;
}

static void call(struct backend *backend, struct cache_op *op, enum cache_status expected)
{
	cr_assert_eq(backend_call(backend, op), expected, "status is %d", (int)op->status);
}

static enum cache_status set(struct backend *backend, struct slice ns, unsigned i, size_t len_bytes)
{
	char key[32];
	struct cache_op op;

	(void)snprintf(key, sizeof(key), "key %u", i);
	cache_op_init(&op, CACHE_OP_SET);
	op.ns = ns;
	op.one.key = slice_of(key);
	op.one.value = cache_value_create(len_bytes, SLICE(CONTENT_TYPE_BYTES));
	memset(cache_value_data(op.one.value), 'x', len_bytes);
	cache_value_seal(op.one.value);
	enum cache_status status = backend_call(backend, &op);
	cache_value_release(op.one.value);
	cache_op_deinit(&op);
	return status;
}

static struct namespace_stats stats_of(struct backend *backend, struct slice ns)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = ns;
	call(backend, &op, CACHE_OK);
	struct namespace_stats stats = op.stats[0];
	cache_op_deinit(&op);
	return stats;
}

static void set_policy(struct backend *backend, struct slice ns, enum eviction_policy policy)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = ns;
	op.settings.policy = policy;
	op.settings_mask = SETTING_POLICY;
	call(backend, &op, CACHE_OK);
	cache_op_deinit(&op);
}

/* The bytes in use that the health check reports; 0 if it reports none. */
static uint64_t reported_usage(struct backend *backend)
{
	uint64_t used = 0;
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CHECK);
	call(backend, &op, CACHE_OK);
	cr_assert_eq(op.check_count, 1);
	cr_expect(op.checks[0].ok, "a full cache is well");
	(void)sscanf(op.checks[0].detail, "%" SCNu64, &used);
	cache_op_deinit(&op);
	return used;
}

Test(memory_limit, counts_small_entries_with_their_overhead)
{
	struct backend *backend = open_backend();

	cr_expect_eq(reported_usage(backend), 0);
	for (unsigned i = 0; i < 20000; i++)
		cr_assert_eq(set(backend, SLICE("n"), i, 10), CACHE_OK);
	struct namespace_stats stats = stats_of(backend, SLICE("n"));
	cr_expect_gt(stats.evictions, 0);
	cr_expect_lt(stats.entry_count, LIMIT_BYTES / 100, "10 bytes take more than 100");
	cr_expect_gt(stats.entry_count, LIMIT_BYTES / 300);
	uint64_t used = reported_usage(backend);
	cr_expect_leq(used, LIMIT_BYTES);
	cr_expect_gt(used, LIMIT_BYTES / 10 * 9);
	backend->ops->close(backend);
}

Test(memory_limit, evicts_from_the_writer_first)
{
	struct backend *backend = open_backend();

	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(set(backend, SLICE("bystander"), i, 100000), CACHE_OK);
	for (unsigned i = 0; i < 50; i++)
		cr_assert_eq(set(backend, SLICE("writer"), i, 100000), CACHE_OK);
	cr_expect_eq(stats_of(backend, SLICE("bystander")).evictions, 0);
	cr_expect_gt(stats_of(backend, SLICE("writer")).evictions, 0);
	backend->ops->close(backend);
}

Test(memory_limit, then_evicts_from_the_largest)
{
	struct backend *backend = open_backend();

	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(set(backend, SLICE("small"), i, 100000), CACHE_OK);
	for (unsigned i = 0; i < 50; i++)
		cr_assert_eq(set(backend, SLICE("large"), i, 100000), CACHE_OK);
	cr_assert_eq(set(backend, SLICE("writer"), 0, 300000), CACHE_OK);
	cr_expect_eq(stats_of(backend, SLICE("writer")).entry_count, 1);
	cr_expect_eq(stats_of(backend, SLICE("small")).evictions, 0);
	cr_expect_leq(reported_usage(backend), LIMIT_BYTES);
	backend->ops->close(backend);
}

Test(memory_limit, refuses_where_nothing_may_go)
{
	struct backend *backend = open_backend();

	set_policy(backend, SLICE("kept"), EVICT_NONE);
	for (unsigned i = 0; i < 19; i++)
		cr_assert_eq(set(backend, SLICE("kept"), i, 100000), CACHE_OK);
	cr_expect_eq(set(backend, SLICE("kept"), 99, 500000), CACHE_NO_SPACE);
	cr_expect_eq(set(backend, SLICE("writer"), 0, 500000), CACHE_NO_SPACE);
	cr_expect_eq(stats_of(backend, SLICE("kept")).entry_count, 19);
	cr_expect_eq(set(backend, SLICE("kept"), 0, 1), CACHE_OK, "a smaller value always fits");
	backend->ops->close(backend);
}

Test(memory_limit, refuses_what_could_never_fit_and_loses_nothing)
{
	struct backend *backend = open_backend();

	cr_assert_eq(set(backend, SLICE("n"), 0, 100000), CACHE_OK);
	cr_expect_eq(set(backend, SLICE("n"), 1, LIMIT_BYTES), CACHE_TOO_LARGE);
	cr_expect_eq(stats_of(backend, SLICE("n")).entry_count, 1);
	backend->ops->close(backend);
}

Test(memory_limit, what_is_removed_is_given_back)
{
	struct backend *backend = open_backend();
	struct cache_op op;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 18; i++)
			cr_assert_eq(set(backend, SLICE("n"), i, 100000 + round), CACHE_OK);
		for (unsigned i = 0; i < 18 && round % 2; i++) {
			char key[32];

			(void)snprintf(key, sizeof(key), "key %u", i);
			cache_op_init(&op, CACHE_OP_DELETE);
			op.ns = SLICE("n");
			op.one.key = slice_of(key);
			call(backend, &op, CACHE_OK);
			cache_op_deinit(&op);
		}
		if (round % 4 == 0) {
			cache_op_init(&op, CACHE_OP_CLEAR);
			op.ns = SLICE("n");
			call(backend, &op, CACHE_OK);
			cache_op_deinit(&op);
		}
	}
	cr_expect_eq(stats_of(backend, SLICE("n")).evictions, 0);
	cr_expect_eq(reported_usage(backend), 0);
	backend->ops->close(backend);
}
