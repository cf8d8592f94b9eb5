/* The layer for compression: whatever is done to a namespace with compression and to one without,
 * the answers are the same; and what a store hands out is not believed. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/packed/packed.h"
#include "base/value_zstd.h"
#include "store/find.h"
#include "store/merge.h"
#include "tests/support/temp_dir.h"

#define KEYS      12
#define BATCH_MAX 4
#define STEPS     1500

static _Atomic int64_t now_us;
static uint64_t random_state = 7;

static int64_t read_clock(void *user)
{
	(void)user;
	return now_us;
}

static const struct cache_clock test_clock = {.now_us = read_clock};

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % sides;
}

struct bed {
	struct temp_dir dir;
	struct backend_config config;
	struct backend *inner, *backend;
};

static void open_bed(struct bed *bed, const char *name)
{
	char error[256] = "";

	now_us = INT64_C(1700000000000000);
	temp_dir_create(&bed->dir);
	bed->config = (struct backend_config){.data_dir = bed->dir.path, .clock = &test_clock};
	bed->inner = backend_find_by_text(name)->open(&bed->config, error, sizeof(error));
	cr_assert(bed->inner, "%s", error);
	bed->backend = packed_wrap(bed->inner);
	cr_assert(bed->backend);
}

static void close_bed(struct bed *bed)
{
	bed->backend->ops->close(bed->backend);
	temp_dir_destroy(&bed->dir);
}

static void configure(struct bed *bed, const char *ns, enum compression compression)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_CONFIGURE);
	op.ns = slice_of(ns);
	op.settings_mask = SETTING_COMPRESSION | SETTING_PUT_STATUS | SETTING_STALE_TTL;
	op.settings.compression = compression;
	op.settings.put_status = compression == COMPRESSION_ZSTD ? 200 : 0;
	op.settings.stale_ttl_s = 20;
	cr_assert_eq(backend_call(bed->backend, &op), CACHE_OK);
	cache_op_deinit(&op);
}

/* Text that becomes shorter, or bytes that do not; of all lengths, also such as go to threads. */
static struct cache_value *make_value(uint32_t seed, size_t len)
{
	struct cache_value *value = cache_value_create(len, SLICE("text/plain\nX-Meta-a: 1"));
	char *at = cache_value_data(value);

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525U + 1013904223U;
		at[i] = len % 5 == 0 ? (char)(seed >> 24) : (char)('a' + (seed >> 24) % 4);
	}
	cache_value_seal(value);
	return value;
}

static struct slice key_of(size_t i)
{
	static char names[KEYS][8];

	(void)snprintf(names[i], sizeof(names[i]), "k%zu", i);
	return slice_of(names[i]);
}

/* ---- Both namespaces ---- */

struct answer {
	struct cache_op op;
	struct cache_item items[BATCH_MAX];
	struct cache_history histories[BATCH_MAX];
	struct etag etag;
};

struct plan {
	enum cache_op_type type;
	size_t count, keys[BATCH_MAX], lens[BATCH_MAX];
	uint32_t seeds[BATCH_MAX];
	int64_t ttl_s;
	enum condition_kind condition;
	bool serve_stale, has_history;
};

static struct plan random_plan(void)
{
	static const size_t lens[] = {0, 60, 127, 128, 400, 401, 3001, 20002, 90003};
	uint32_t dice = roll(20);
	struct plan plan = {
		.type = dice < 8    ? CACHE_OP_SET
			: dice < 15 ? CACHE_OP_GET
			: dice < 16 ? CACHE_OP_DELETE
			: dice < 17 ? CACHE_OP_EXISTS
			: dice < 19 ? CACHE_OP_EXPIRE
				    : CACHE_OP_SCAN,
		.count = roll(2) ? 1 : 1 + roll(BATCH_MAX),
		.ttl_s = roll(2) ? TTL_DEFAULT : roll(30),
		.condition = roll(3) ? CONDITION_NONE : (enum condition_kind)roll(5),
		.serve_stale = roll(2),
		.has_history = roll(8) == 0,
	};
	size_t first = roll(KEYS);

	for (size_t i = 0; i < plan.count; i++) {
		plan.keys[i] = (first + i) % KEYS;
		plan.lens[i] = lens[roll(sizeof(lens) / sizeof(lens[0]))];
		plan.seeds[i] = roll(3);
	}
	return plan;
}

static void run(struct bed *bed, const char *ns, const struct plan *plan, struct answer *answer)
{
	struct cache_op *op = &answer->op;
	struct cache_value *matched = make_value(0, 400);

	answer->etag = matched->etag;
	cache_value_release(matched);
	cache_op_init(op, plan->type);
	op->ns = slice_of(ns);
	op->serve_stale = plan->serve_stale;
	op->limit = KEYS + 1;
	for (size_t i = 0; i < plan->count; i++) {
		answer->histories[i] = (struct cache_history){
			.frequency = 3, .created_at_us = now_us - 5, .expires_at_us = HISTORY_TTL};
		answer->items[i] = (struct cache_item){
			.key = key_of(plan->keys[i]),
			.value = plan->type == CACHE_OP_SET
					 ? make_value(plan->seeds[i], plan->lens[i])
					 : NULL,
			.ttl_s = plan->ttl_s,
			.history = plan->has_history ? &answer->histories[i] : NULL,
			.condition = {.kind = plan->condition,
				      .etags = &answer->etag,
				      .etag_count = 1},
		};
	}
	op->items = answer->items;
	op->item_count = plan->count;
	(void)backend_call(bed->backend, op);
}

static void expect_same_value(const struct cache_value *a, const struct cache_value *b,
			      bool has_times)
{
	cr_assert_eq(!a, !b);
	if (!a)
		return;
	cr_assert(slice_equal(cache_value_bytes(a), cache_value_bytes(b)));
	cr_assert(slice_equal(cache_value_head(a), cache_value_head(b)));
	cr_assert(etag_equal(&a->etag, &b->etag));
	cr_assert_eq(a->flags, b->flags);
	if (!has_times) /* a value without headroom is copied, and gets none */
		return;
	cr_assert_eq(a->modified_at_us, b->modified_at_us);
	cr_assert_eq(a->expires_at_us, b->expires_at_us);
}

static void run_on_both(struct bed *bed, const struct plan *plan)
{
	struct answer a, b;

	run(bed, "plain", plan, &a);
	run(bed, "zstd", plan, &b);
	cr_assert_eq(a.op.status, b.op.status);
	cr_assert_eq(a.op.entry_count, b.op.entry_count);
	cr_assert(plan->type != CACHE_OP_SET || b.op.put_status == 200);
	for (size_t i = 0; i < plan->count && plan->type != CACHE_OP_SCAN; i++) {
		cr_assert_eq(a.items[i].status, b.items[i].status);
		cr_assert_eq(a.items[i].created, b.items[i].created);
		cr_assert_eq(a.items[i].stale, b.items[i].stale);
		expect_same_value(a.items[i].value, b.items[i].value, plan->type == CACHE_OP_GET);
		if (plan->type == CACHE_OP_SET) {
			cache_value_release(a.items[i].value);
			cache_value_release(b.items[i].value);
		}
	}
	cache_op_deinit(&a.op);
	cache_op_deinit(&b.op);
}

static void expect_agreement(const char *name)
{
	struct bed bed;

	open_bed(&bed, name);
	configure(&bed, "plain", COMPRESSION_NONE);
	configure(&bed, "zstd", COMPRESSION_ZSTD);
	for (unsigned step = 0; step < STEPS; step++) {
		struct plan plan = random_plan();

		now_us += 1 + roll(3000000);
		run_on_both(&bed, &plan);
	}
	close_bed(&bed);
}

Test(packed, memory_answers_as_without)
{
	expect_agreement("memory");
}

Test(packed, sqlite_answers_as_without)
{
	expect_agreement("sqlite");
}

/* ---- What is kept ---- */

static enum cache_status set(struct bed *bed, const char *ns, struct cache_value *value)
{
	struct cache_op op;

	cache_op_init(&op, CACHE_OP_SET);
	op.ns = slice_of(ns);
	op.one.key = SLICE("k");
	op.one.value = value;
	enum cache_status status = backend_call(bed->backend, &op);
	cache_op_deinit(&op);
	cache_value_release(value);
	return status;
}

static enum cache_status get(struct bed *bed, bool takes_encoded, uint64_t max_bytes,
			     struct cache_op *op)
{
	cache_op_init(op, CACHE_OP_GET);
	op->ns = SLICE("zstd");
	op->one.key = SLICE("k");
	op->takes_encoded = takes_encoded;
	op->max_value_bytes = max_bytes;
	return backend_call(bed->backend, op);
}

static bool is_kept_compressed(struct bed *bed)
{
	struct cache_op op;

	cr_assert_eq(get(bed, true, 0, &op), CACHE_OK);
	bool is = op.one.value->flags & CACHE_VALUE_ZSTD;
	cache_op_deinit(&op);
	return is;
}

Test(packed, what_becomes_shorter_is_kept_so_and_counted_so)
{
	struct bed bed;
	struct cache_op op;

	open_bed(&bed, "memory");
	configure(&bed, "zstd", COMPRESSION_ZSTD);
	cr_expect_eq(set(&bed, "zstd", make_value(1, 4001)), CACHE_OK);
	cr_expect(is_kept_compressed(&bed));
	cache_op_init(&op, CACHE_OP_STATS);
	op.ns = SLICE("zstd");
	cr_assert_eq(backend_call(bed.backend, &op), CACHE_OK);
	cr_expect_lt(op.stats[0].total_size_bytes, 2000);
	cache_op_deinit(&op);
	cr_expect_eq(set(&bed, "zstd", make_value(1, 4000)), CACHE_OK);
	cr_expect_not(is_kept_compressed(&bed), "random bytes");
	cr_expect_eq(set(&bed, "zstd", make_value(1, 127)), CACHE_OK);
	cr_expect_not(is_kept_compressed(&bed), "a short one");
	struct cache_value *plain = make_value(1, 4001);
	struct cache_value *gzip =
		cache_value_copy(cache_value_bytes(plain), SLICE("a/b\nContent-Encoding: gzip"));
	cr_expect_eq(set(&bed, "zstd", gzip), CACHE_OK);
	cr_expect_not(is_kept_compressed(&bed), "one with a coding of its own");
	cache_value_release(plain);
	close_bed(&bed);
}

Test(packed, settings_that_change_count_from_then_on)
{
	struct bed bed;
	struct cache_op op;

	open_bed(&bed, "memory");
	for (int i = 0; i < 4; i++) {
		configure(&bed, "zstd", i % 2 ? COMPRESSION_ZSTD : COMPRESSION_NONE);
		cr_expect_eq(set(&bed, "zstd", make_value(1, 4001)), CACHE_OK);
		cr_expect_eq(is_kept_compressed(&bed), i % 2);
	}
	configure(&bed, "zstd", COMPRESSION_NONE);
	cr_expect_eq(get(&bed, false, 0, &op), CACHE_OK, "kept before it was switched off");
	cr_expect_eq(op.one.value->len_bytes, 4001);
	cache_op_deinit(&op);
	configure(&bed, "zstd", COMPRESSION_ZSTD);
	cache_op_init(&op, CACHE_OP_CLEAR);
	op.ns = SLICE("zstd");
	op.drop = true;
	cr_expect_eq(backend_call(bed.backend, &op), CACHE_OK);
	cache_op_deinit(&op);
	cr_expect_eq(set(&bed, "zstd", make_value(1, 4001)), CACHE_OK);
	cr_expect_not(is_kept_compressed(&bed), "its settings went with it");
	close_bed(&bed);
}

/* ---- A store that is not believed ---- */

static struct cache_value *frame_of(struct slice bytes)
{
	struct cache_value *value = cache_value_copy(bytes, SLICE("text/plain"));
	struct etag etag = value->etag;

	cache_value_seal_known(value, &etag, CACHE_VALUE_ZSTD);
	return value;
}

static void expect_corrupt(struct bed *bed, struct slice bytes)
{
	struct cache_op op;

	cr_assert_eq(set(bed, "zstd", frame_of(bytes)), CACHE_OK);
	cr_expect_eq(get(bed, false, 0, &op), CACHE_CORRUPT);
	cr_expect_null(op.one.value);
	cr_expect_str_eq(op.detail ? op.detail : "", VALUE_ZSTD_DAMAGED);
	cache_op_deinit(&op);
}

Test(packed, damaged_frames_and_bombs_are_refused)
{
	/* A frame that says 4 GB - 1 and has one empty block; one of an unknown length; none. */
	static const char bomb[] = "\x28\xB5\x2F\xFD\xA0\xFF\xFF\xFF\xFF\x01\x00\x00";
	static const char unknown[] = "\x28\xB5\x2F\xFD\x00\x58\x01\x00\x00";
	struct bed bed;
	struct cache_value *value = make_value(1, 4001);
	struct cache_value *frame = value_zstd_encode(value, (struct cache_headroom){0});
	struct cache_op op;

	cr_assert(frame);
	open_bed(&bed, "memory");
	expect_corrupt(&bed, (struct slice){bomb, sizeof(bomb) - 1});
	expect_corrupt(&bed, (struct slice){unknown, sizeof(unknown) - 1});
	expect_corrupt(&bed, SLICE("no frame"));
	expect_corrupt(&bed, SLICE(""));
	struct slice bytes = cache_value_bytes(frame);
	for (size_t i = 0; i < bytes.len; i += 1 + bytes.len / 50) {
		char damaged[8192];

		memcpy(damaged, bytes.data, bytes.len);
		damaged[i] ^= 0x11;
		cr_assert_eq(set(&bed, "zstd", frame_of((struct slice){damaged, bytes.len})),
			     CACHE_OK);
		enum cache_status status = get(&bed, false, 0, &op);
		cr_expect(status == CACHE_CORRUPT || slice_equal(cache_value_bytes(op.one.value),
								 cache_value_bytes(value)),
			  "byte %zu", i);
		cache_op_deinit(&op);
		expect_corrupt(&bed, (struct slice){bytes.data, i});
	}
	cr_assert_eq(set(&bed, "zstd", frame_of(bytes)), CACHE_OK);
	cr_expect_eq(get(&bed, false, 4000, &op), CACHE_TOO_LARGE, "decoded bytes count");
	cache_op_deinit(&op);
	cr_expect_eq(get(&bed, false, 4001, &op), CACHE_OK);
	cache_op_deinit(&op);
	cache_value_release(frame);
	cache_value_release(value);
	close_bed(&bed);
}

/* What comes from elsewhere is compared by times and ETags: no bytes are decoded for it, so a
 * damaged value does not keep those that come with it out. */
Test(packed, a_merge_decodes_nothing)
{
	struct bed bed;
	static const struct cache_history history = {.frequency = 5, .created_at_us = 1000000};
	struct merge_entry entries[2] = {{.item.key = SLICE("k")}, {.item.key = SLICE("other")}};

	for (size_t i = 0; i < 2; i++) {
		entries[i].item.value = make_value(1, 300);
		entries[i].item.history = &history;
		entries[i].modified_us = INT64_MAX;
	}
	open_bed(&bed, "memory");
	struct merge merge = {.backend = bed.backend,
			      .ns = SLICE("zstd"),
			      .policy = MERGE_NEWER,
			      .entries = entries,
			      .count = 2};
	cr_assert_eq(set(&bed, "zstd", frame_of(SLICE("no frame"))), CACHE_OK);
	cr_expect_eq(merge_run(&merge), CACHE_OK, "%s", merge.detail ? merge.detail : "");
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(entries[i].outcome, MERGE_STORED, "%zu", i);
		cache_value_release(entries[i].item.value);
	}
	close_bed(&bed);
}

/* ---- Threads ---- */

struct worker {
	pthread_t thread;
	struct bed *bed;
	unsigned number, wrong;
};

static void *work(void *user)
{
	struct worker *worker = user;

	for (unsigned i = 0; i < 150; i++) {
		struct cache_op op;

		if (worker->number == 0)
			configure(worker->bed, "zstd", i % 2 ? COMPRESSION_ZSTD : COMPRESSION_NONE);
		worker->wrong += set(worker->bed, "zstd", make_value(1, 70001)) != CACHE_OK;
		worker->wrong += get(worker->bed, false, 0, &op) != CACHE_OK ||
				 op.one.value->len_bytes != 70001;
		cache_op_deinit(&op);
	}
	return NULL;
}

Test(packed, settings_change_beside_reads_and_writes)
{
	struct worker workers[4] = {0};
	struct bed bed;

	open_bed(&bed, "memory");
	for (unsigned i = 0; i < 4; i++) {
		workers[i].bed = &bed;
		workers[i].number = i;
		cr_assert_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_eq(pthread_join(workers[i].thread, NULL), 0);
		cr_expect_eq(workers[i].wrong, 0);
	}
	close_bed(&bed);
}
