/* Operations of many items. */
#include <stdio.h>

#include "tests/contract/support.h"

#define LARGE_BATCH 10000

struct batch {
	struct cache_op op;
	struct cache_item *items;
	char (*keys)[16];
	size_t count;
};

/* Keys "k<first>", "k<first + 1>", ...; a SET gets values "v<i>". */
static void batch_init(struct batch *batch, enum cache_op_type type, size_t first, size_t count)
{
	cache_op_init(&batch->op, type);
	batch->items = calloc(count, sizeof(*batch->items));
	batch->keys = calloc(count, sizeof(*batch->keys));
	batch->count = count;
	for (size_t i = 0; i < count; i++) {
		int len = snprintf(batch->keys[i], sizeof(batch->keys[i]), "k%zu", first + i);

		batch->items[i].key = (struct slice){.data = batch->keys[i], .len = (size_t)len};
		batch->items[i].ttl_s = TTL_DEFAULT;
		if (type == CACHE_OP_SET)
			batch->items[i].value = make_value(text("v%zu", first + i));
	}
	batch->op.ns = NS;
	batch->op.items = batch->items;
	batch->op.item_count = count;
}

static void batch_deinit(struct batch *batch)
{
	bool set = batch->op.type == CACHE_OP_SET;

	cache_op_deinit(&batch->op);
	for (size_t i = 0; set && i < batch->count; i++)
		cache_value_release(batch->items[i].value);
	free(batch->items);
	free(batch->keys);
}

static enum cache_status set_batch(struct fixture *f, size_t first, size_t count)
{
	struct batch batch;

	batch_init(&batch, CACHE_OP_SET, first, count);
	enum cache_status status = backend_call(f->backend, &batch.op);
	batch_deinit(&batch);
	return status;
}

/* The first items replace entries that expire; afterwards all of them expire. */
CONTRACT_TEST(batch, with_ttls_over_some_that_expire)
{
	const size_t count = f->is_remote ? 60 : batch_of(f, LARGE_BATCH);
	struct batch batch;

	batch_init(&batch, CACHE_OP_SET, 0, count);
	for (size_t i = 0; i < count; i++)
		batch.items[i].ttl_s = 1 + (int64_t)((i * 7919) % count);
	for (size_t i = 0; i < count / 50; i++)
		(void)set_with_ttl(f, batch.items[i].key, SLICE("old"), 5);
	cr_assert_eq(backend_call(f->backend, &batch.op), CACHE_OK);

	/* One expires each second. */
	advance_s(f, (int64_t)count / 2);
	for (size_t i = 0; i < count; i += f->is_slow ? 97 : 1)
		cr_expect_eq(exists(f, batch.items[i].key),
			     batch.items[i].ttl_s > (int64_t)count / 2, "%zu", i);
	batch_deinit(&batch);
}

CONTRACT_TEST_OF(BACKEND_STATS, batch, of_ten_thousand_items)
{
	const size_t count = batch_of(f, LARGE_BATCH);
	struct batch batch;

	batch_init(&batch, CACHE_OP_SET, 0, count);
	cr_assert_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(batch.items[i].status, CACHE_OK);
		cr_assert(batch.items[i].created);
	}
	batch_deinit(&batch);
	cr_expect_eq(stats(f).entry_count, count);
	cr_expect_eq(stats(f).sets, count);

	batch_init(&batch, CACHE_OP_GET, 0, count);
	cr_assert_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(batch.items[i].status, CACHE_OK);
		cr_assert(slice_equal(cache_value_bytes(batch.items[i].value), text("v%zu", i)));
	}
	batch_deinit(&batch);

	batch_init(&batch, CACHE_OP_DELETE, 0, count);
	cr_assert_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(batch.items[i].status, CACHE_OK);
	batch_deinit(&batch);
	cr_expect_eq(stats(f).entry_count, 0);
}

CONTRACT_TEST(batch, tells_each_item_its_status)
{
	struct batch batch;

	cr_assert_eq(set_batch(f, 0, 3), CACHE_OK);

	batch_init(&batch, CACHE_OP_GET, 1, 4);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(batch.items[i].status, i < 2 ? CACHE_OK : CACHE_NOT_FOUND);
		cr_expect_eq(batch.items[i].value != NULL, i < 2);
	}
	batch_deinit(&batch);

	batch_init(&batch, CACHE_OP_EXISTS, 1, 4);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(batch.items[i].status, i < 2 ? CACHE_OK : CACHE_NOT_FOUND);
	batch_deinit(&batch);

	batch_init(&batch, CACHE_OP_DELETE, 2, 2);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	cr_expect_eq(batch.items[0].status, CACHE_OK);
	cr_expect_eq(batch.items[1].status, CACHE_NOT_FOUND);
	batch_deinit(&batch);

	batch_init(&batch, CACHE_OP_SET, 1, 2);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	cr_expect_not(batch.items[0].created, "k1 was there");
	cr_expect(batch.items[1].created, "k2 was deleted");
	batch_deinit(&batch);
}

CONTRACT_TEST(batch, of_one_item_is_a_batch)
{
	struct batch batch;

	batch_init(&batch, CACHE_OP_GET, 0, 1);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	cr_expect_eq(batch.items[0].status, CACHE_NOT_FOUND);
	batch_deinit(&batch);
	cr_expect_eq(set_batch(f, 0, 1), CACHE_OK);
	batch_init(&batch, CACHE_OP_GET, 0, 1);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	cr_expect_eq(batch.items[0].status, CACHE_OK);
	batch_deinit(&batch);
}

CONTRACT_TEST_OF(BACKEND_STATS, batch, of_no_items_succeeds)
{
	for (enum cache_op_type type = CACHE_OP_GET; type <= CACHE_OP_EXISTS; type++) {
		struct batch batch;

		batch_init(&batch, type, 0, 0);
		cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
		batch_deinit(&batch);
	}
	cr_expect_eq(namespace_count(f), 0);
}

CONTRACT_TEST_OF(BACKEND_STATS, batch, in_a_namespace_that_does_not_exist_is_all_misses)
{
	for (enum cache_op_type type = CACHE_OP_GET; type <= CACHE_OP_EXISTS; type++) {
		struct batch batch;

		if (type == CACHE_OP_SET)
			continue;
		batch_init(&batch, type, 0, 3);
		cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
		for (size_t i = 0; i < 3; i++)
			cr_expect_eq(batch.items[i].status, CACHE_NOT_FOUND);
		batch_deinit(&batch);
	}
	cr_expect_eq(namespace_count(f), 0);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_ATOMIC_BATCH, batch,
		 that_does_not_fit_stores_nothing)
{
	struct batch batch;

	set_max_size(f, 10000);
	(void)set_used(f, SLICE("old"), 9000);

	/* First one item that is too large, then items that are too large together. */
	for (int round = 0; round < 2; round++) {
		batch_init(&batch, CACHE_OP_SET, 0, 10);
		for (size_t i = 0; i < 10; i++)
			batch.items[i].size_bytes =
				size_using(batch.items[i].key, round == 0 ? 200 : 1001);
		if (round == 0)
			batch.items[7].size_bytes = size_using(batch.items[7].key, 10001);
		cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_TOO_LARGE);
		batch_deinit(&batch);
		cr_expect_eq(stats(f).entry_count, 1);
		cr_expect(exists(f, SLICE("old")));
	}
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, batch, that_just_fits_is_stored)
{
	struct batch batch;

	set_max_size(f, 10000);
	(void)set_used(f, SLICE("old"), 9000);
	batch_init(&batch, CACHE_OP_SET, 0, 10);
	for (size_t i = 0; i < 10; i++)
		batch.items[i].size_bytes = size_using(batch.items[i].key, 1000);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	batch_deinit(&batch);
	cr_expect_eq(stats(f).entry_count, 10);
	cr_expect_eq(stats(f).used_bytes, 10000);
	cr_expect_not(exists(f, SLICE("old")));
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION | BACKEND_ATOMIC_BATCH, batch,
		 refused_under_policy_none_stores_nothing)
{
	set_policy(f, EVICT_NONE);
	set_max_size(f, 2000);
	(void)set_used(f, SLICE("old"), 1000);
	cr_expect_eq(set_batch(f, 0, 8), CACHE_NO_SPACE);
	cr_expect_eq(stats(f).entry_count, 1);
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, batch, never_evicts_what_it_overwrites)
{
	struct batch batch;

	set_policy(f, EVICT_FIFO);
	set_max_size(f, 10000);
	for (unsigned i = 0; i < 10; i++) {
		(void)set_used(f, text("k%u", i), 1000);
		advance_us(f, 1);
	}
	/* The five oldest grow; only younger ones can be evicted. */
	batch_init(&batch, CACHE_OP_SET, 0, 5);
	for (size_t i = 0; i < 5; i++)
		batch.items[i].size_bytes = size_using(batch.items[i].key, 1200);
	cr_expect_eq(backend_call(f->backend, &batch.op), CACHE_OK);
	for (size_t i = 0; i < 5; i++)
		cr_expect_not(batch.items[i].created);
	batch_deinit(&batch);
	cr_expect_eq(stats(f).entry_count, 7);
	cr_expect_eq(stats(f).used_bytes, 8000);
	for (unsigned i = 5; i < 8; i++)
		cr_expect_not(exists(f, text("k%u", i)));
}

CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_EXACT_EVICTION, batch, larger_than_the_capacity_is_refused)
{
	set_capacity(f, 5);
	(void)set(f, SLICE("old"), SLICE("v"));
	cr_expect_eq(set_batch(f, 0, 6), CACHE_TOO_LARGE);
	cr_expect(exists(f, SLICE("old")));
	cr_expect_eq(set_batch(f, 0, 5), CACHE_OK);
	cr_expect_eq(stats(f).entry_count, 5);
	cr_expect_not(exists(f, SLICE("old")));
}

/* Entries that expire at one moment, beside others of that moment that are kept to be served
 * stale. */
CONTRACT_TEST_OF(BACKEND_STATS | BACKEND_STALE, batch, what_expires_in_masses_is_soon_gone)
{
	const size_t count = 40000;
	const size_t kept = 3000;
	struct namespace_settings settings = {.default_ttl_s = 10, .stale_ttl_s = 1000};
	struct cache_op op;
	unsigned waited_ms = 0;

	if (f->is_remote || f->is_far)
		return;
	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = SLICE("kept");
	op.settings = settings;
	op.settings_mask = SETTING_DEFAULT_TTL | SETTING_STALE_TTL;
	cr_assert_eq(backend_call(f->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	cr_assert_eq(configure(f, SETTING_DEFAULT_TTL, settings), CACHE_OK);
	for (size_t i = 0; i < kept; i += 1000) {
		struct batch batch;

		batch_init(&batch, CACHE_OP_SET, i, 1000);
		batch.op.ns = SLICE("kept");
		cr_assert_eq(backend_call(f->backend, &batch.op), CACHE_OK);
		batch_deinit(&batch);
	}
	for (size_t i = 0; i < count; i += 1000)
		cr_assert_eq(set_batch(f, i, 1000), CACHE_OK);
	advance_s(f, 11);
	while (stats(f).entry_count > 0 && wait_a_moment(&waited_ms))
		;
	cr_expect_eq(stats(f).entry_count, 0, "%u are still there", (unsigned)stats(f).entry_count);
	cr_expect_eq(stats(f).expirations, count);
	cr_expect_eq(stats_of(f, SLICE("kept")).entry_count, kept);
}
