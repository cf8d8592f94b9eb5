/* Memory and other backends give the same answers: random operations on both, with one clock,
 * comparing every answer, listing and figure, and so the order of eviction. Memory is the model for
 * SQLite and for the keeper, and, as far as nothing is evicted, for Redis, whose partitions have
 * limits and orders of their own. STEADYCACHE_AGREE_ROUNDS runs it for longer. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/redis/redis.h"
#include "backends/redis/settings.h"
#include "store/find.h"
#include "tests/support/temp_dir.h"

#define KEYS       40
#define BATCH_MAX  6
#define STEPS      400
#define NAMESPACES 2

static _Atomic int64_t now_us;
static uint64_t random_state;

static int64_t read_clock(void *user)
{
	(void)user;
	return now_us;
}

static const struct cache_clock clock_of_both = {.now_us = read_clock};

static uint32_t roll(uint32_t sides)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(random_state >> 33) % sides;
}

/* ---- One operation, on both ---- */

/* Describes an operation, so that it can be done twice. */
struct plan {
	enum cache_op_type type;
	const char *ns;
	size_t keys[BATCH_MAX], count;
	size_t lens[BATCH_MAX];
	uint64_t sizes[BATCH_MAX];
	int64_t ttls[BATCH_MAX];
	struct cache_history histories[BATCH_MAX];
	bool has_history[BATCH_MAX];
	struct cache_condition condition;
	bool serve_stale, no_touch, any_order, drop;
	struct slice prefix;
	size_t limit;
	struct slice after;
	bool has_after;
	struct namespace_settings settings;
	unsigned mask;
};

static struct slice key_of(size_t i)
{
	static char names[KEYS][80];

	(void)snprintf(names[i], sizeof(names[i]), "%s/%zu%*s", i % 2 ? "a" : "b", i, (int)i, "");
	return slice_of(names[i]);
}

static struct cache_value *value_of(size_t key, size_t len)
{
	static const char *const types[] = {CONTENT_TYPE_TEXT, CONTENT_TYPE_BYTES, "image/png",
					    "application/x-of-its-own"};
	char bytes[400];

	memset(bytes, 'a' + (int)(key % 26), sizeof(bytes));
	return cache_value_copy((struct slice){bytes, len}, slice_of(types[(key + len) % 4]));
}

static void prepare(const struct plan *plan, struct cache_op *op, struct cache_item *items)
{
	cache_op_init(op, plan->type);
	op->ns = slice_of(plan->ns);
	op->serve_stale = plan->serve_stale;
	op->no_touch = plan->no_touch;
	op->drop = plan->drop;
	op->prefix = plan->prefix;
	op->settings = plan->settings;
	op->settings_mask = plan->mask;
	op->limit = plan->limit;
	op->after = plan->after;
	op->has_after = plan->has_after;
	if (plan->count == 0)
		return;
	op->items = items;
	op->item_count = plan->count;
	for (size_t i = 0; i < plan->count; i++)
		items[i] = (struct cache_item){
			.key = key_of(plan->keys[i]),
			.value = plan->type == CACHE_OP_SET ? value_of(plan->keys[i], plan->lens[i])
							    : NULL,
			.size_bytes = plan->sizes[i],
			.ttl_s = plan->ttls[i],
			.history = plan->has_history[i] ? &plan->histories[i] : NULL,
			.condition = plan->condition,
		};
	if (plan->count == 1) {
		op->one = items[0];
		op->items = &op->one;
	}
}

static struct plan random_set(void)
{
	struct plan plan = {.type = CACHE_OP_SET};

	for (size_t i = 0; i < BATCH_MAX; i++) {
		plan.lens[i] = roll(4) == 0 ? 0 : roll(300);
		plan.sizes[i] = roll(4) == 0 ? roll(900) : 0;
		plan.ttls[i] = roll(3) == 0 ? roll(40) : TTL_DEFAULT;
		plan.has_history[i] = roll(6) == 0;
		plan.histories[i] = (struct cache_history){
			.frequency = roll(20),
			.created_at_us = roll(3) ? now_us - roll(2000000000) : 0,
			.last_access_us = roll(3) ? now_us - roll(2000000000) : 0,
			.expires_at_us = roll(3) ? HISTORY_TTL : now_us + 1 + roll(100000000),
		};
	}
	return plan;
}

static int64_t random_capacity(void)
{
	switch (roll(9)) {
	case 0:
		return 0;
	case 1:
	case 2:
	case 3:
		return CAPACITY_UNLIMITED;
	default:
		return 2 + roll(20);
	}
}

static bool nothing_is_evicted;
/* Drops lose the settings, so they are given again. */
static int64_t stale_ttls_s[NAMESPACES];
static int64_t idle_s[NAMESPACES]; /* as it is now; 0: none */
/* The other one is closed and opened again now and then. */
static bool restarts;
/* The times of the keys of a batch are a microsecond apart, in Redis among those of a partition. */
static int64_t apart_us;

static struct plan random_configure(void)
{
	if (nothing_is_evicted)
		return (struct plan){
			.type = CACHE_OP_CONFIGURE,
			.mask = roll(16),
			.settings = {.max_size_bytes = roll(2) ? 0 : UINT64_C(1) << 24,
				     .capacity = (int64_t)roll(3) * 2000 - 1,
				     .default_ttl_s = roll(3) == 0 ? roll(60) : 0,
				     .policy = (enum eviction_policy)roll(4)},
		};
	return (struct plan){
		.type = CACHE_OP_CONFIGURE,
		.mask = roll(16),
		.settings =
			{
				.max_size_bytes = roll(4) == 0 ? 0 : 400 + roll(6000),
				.capacity = random_capacity(),
				.default_ttl_s = roll(3) == 0 ? roll(60) : 0,
				.policy = (enum eviction_policy)roll(4),
			},
	};
}

static struct plan random_expire(void)
{
	struct plan plan = {.type = CACHE_OP_EXPIRE};

	for (size_t i = 0; i < BATCH_MAX; i++)
		plan.ttls[i] = roll(4) ? roll(60) : TTL_DEFAULT;
	return plan;
}

static struct plan random_idle_time(void)
{
	return (struct plan){.type = CACHE_OP_CONFIGURE,
			     .mask = SETTING_MAX_IDLE,
			     .settings.max_idle_s = 1 + roll(40)};
}

static struct plan random_plan(void)
{
	static const struct etag none = {0};
	uint32_t dice = roll(100);
	struct plan plan = {.type = CACHE_OP_GET};

	if (dice < 45)
		plan = random_set();
	else if (dice < 75)
		plan = (struct plan){.type = CACHE_OP_GET,
				     .serve_stale = roll(4) == 0,
				     .no_touch = roll(5) == 0};
	else if (dice < 80)
		plan = random_expire();
	else if (dice < 84)
		plan = (struct plan){.type = CACHE_OP_DELETE};
	else if (dice < 87)
		plan = (struct plan){.type = CACHE_OP_EXISTS};
	else if (dice < 89)
		plan = (struct plan){.type = CACHE_OP_CLEAR,
				     .prefix = roll(3) ? SLICE("a/1") : SLICE("")};
	else if (dice < 90)
		plan = (struct plan){.type = CACHE_OP_CLEAR, .drop = true};
	else if (dice < 92)
		plan = random_idle_time();
	else
		plan = random_configure();
	plan.ns = roll(4) ? "n" : "other";
	if (!cache_op_has_items(plan.type))
		return plan;
	plan.count = roll(3) ? 1 : 1 + roll(BATCH_MAX);
	size_t step = 1 + roll(KEYS / BATCH_MAX);
	size_t first = roll(KEYS);
	for (size_t i = 0; i < plan.count; i++) /* distinct, and not in order */
		plan.keys[i] = (first + (i * 5 % BATCH_MAX) * step) % KEYS;
	if (roll(4) == 0)
		plan.condition = (struct cache_condition){
			.kind = (enum condition_kind)roll(5), .etags = &none, .etag_count = 1};
	return plan;
}

/* ---- Comparing ---- */

static struct backend *backends[2];
static char said[256]; /* the last operation */

static void say(const struct plan *plan, uint64_t seed, unsigned step)
{
	int len = snprintf(said, sizeof(said), "seed %lu, step %u: %s%s %s", seed, step,
			   plan->drop ? "drop, " : "", cache_op_name(plan->type), plan->ns);

	for (size_t i = 0; i < plan->count; i++)
		len += snprintf(said + len, sizeof(said) - (size_t)len, " %zu", plan->keys[i]);
}

static void run_on_both(const struct plan *plan)
{
	struct cache_item items[2][BATCH_MAX];
	struct cache_op ops[2];

	for (int i = 0; i < 2; i++) {
		prepare(plan, &ops[i], items[i]);
		(void)backend_call(backends[i], &ops[i]);
	}
	cr_assert_eq(ops[0].status, ops[1].status, "%s: %s, %s", said,
		     cache_status_name(ops[0].status), cache_status_name(ops[1].status));
	for (size_t i = 0; i < plan->count; i++) {
		struct cache_item *a = &ops[0].items[i];
		struct cache_item *b = &ops[1].items[i];

		cr_assert_eq(a->status, b->status, "%s: item %zu: %s, %s", said, i,
			     cache_status_name(a->status), cache_status_name(b->status));
		if (a->status == CACHE_OK && plan->type == CACHE_OP_SET)
			cr_assert_eq(a->created, b->created, "%s: item %zu", said, i);
		if (plan->type == CACHE_OP_SET) {
			cache_value_release(a->value);
			cache_value_release(b->value);
			continue;
		}
		cr_assert_eq(!a->value, !b->value, "%s: item %zu", said, i);
		cr_assert_eq(a->stale, b->stale, "%s: item %zu", said, i);
		if (!a->value)
			continue;
		cr_assert(slice_equal(cache_value_bytes(a->value), cache_value_bytes(b->value)),
			  "%s: item %zu", said, i);
		cr_assert_eq(a->value->expires_at_us, b->value->expires_at_us, "%s: item %zu", said,
			     i);
		cr_assert_eq(a->value->modified_at_us, b->value->modified_at_us, "%s: item %zu",
			     said, i);
	}
	for (int i = 0; i < 2; i++)
		cache_op_deinit(&ops[i]);
}

/* Of both a page, up to the end if `after` is empty and `limit` KEYS. Whether more follows. */
static bool compare_page(const char *ns, size_t limit, char after[static 80], size_t *after_len)
{
	struct plan plan = {.type = CACHE_OP_SCAN,
			    .ns = ns,
			    .limit = limit,
			    .after = {.data = after, .len = *after_len},
			    .has_after = *after_len > 0};
	struct cache_op ops[2];

	for (int i = 0; i < 2; i++) {
		prepare(&plan, &ops[i], NULL);
		cr_assert_eq(backend_call(backends[i], &ops[i]), CACHE_OK);
	}
	for (size_t i = 0; i < ops[0].entry_count && i < ops[1].entry_count; i++) {
		const struct cache_entry_info *a = &ops[0].entries[i];
		const struct cache_entry_info *b = &ops[1].entries[i];

		cr_assert(slice_equal(a->key, b->key), "%s: \"%.*s\", \"%.*s\" in %s", said,
			  (int)a->key.len, a->key.data, (int)b->key.len, b->key.data, ns);
		cr_assert_eq(a->size_bytes, b->size_bytes, "%s", said);
		cr_assert(etag_equal(&a->etag, &b->etag), "%s", said);
		cr_assert_eq(a->frequency, b->frequency, "%s: %.*s: %lu, %lu", said,
			     (int)a->key.len, a->key.data, a->frequency, b->frequency);
		cr_assert(llabs(a->last_access_us - b->last_access_us) <= apart_us,
			  "%s: %.*s: %ld, %ld", said, (int)a->key.len, a->key.data,
			  a->last_access_us, b->last_access_us);
		cr_assert(llabs(a->created_at_us - b->created_at_us) <= apart_us,
			  "%s: %.*s: %ld, %ld", said, (int)a->key.len, a->key.data,
			  a->created_at_us, b->created_at_us);
		cr_assert_eq(a->expires_at_us, b->expires_at_us, "%s", said);
	}
	cr_assert_eq(ops[0].entry_count, ops[1].entry_count, "%s: %zu and %zu entries in %s", said,
		     ops[0].entry_count, ops[1].entry_count, ns);
	cr_assert_eq(ops[0].complete, ops[1].complete, "%s: %zu entries", said, ops[0].entry_count);
	bool more = !ops[0].complete;
	if (more) {
		struct slice last = ops[0].entries[ops[0].entry_count - 1].key;

		memcpy(after, last.data, last.len);
		*after_len = last.len;
	}
	for (int i = 0; i < 2; i++)
		cache_op_deinit(&ops[i]);
	return more;
}

static void compare_listings(const char *ns)
{
	size_t limit = roll(4) ? KEYS + 1 : 1 + roll(9);
	char after[80];
	size_t after_len = 0;

	while (compare_page(ns, limit, after, &after_len))
		;
}

/* Compares the figures that do not depend on when expired entries were swept. */
static void compare_stats(const char *ns, bool nothing_expires)
{
	struct plan plan = {.type = CACHE_OP_STATS, .ns = ns};
	struct cache_op ops[2];

	for (int i = 0; i < 2; i++) {
		prepare(&plan, &ops[i], NULL);
		cr_assert_eq(backend_call(backends[i], &ops[i]), CACHE_OK);
	}
	const struct namespace_stats *a = ops[0].stats;
	const struct namespace_stats *b = ops[1].stats;
	if (!restarts) { /* with which counters begin anew */
		cr_assert_eq(a->hits, b->hits, "%s", said);
		cr_assert_eq(a->stale_hits, b->stale_hits, "%s", said);
		cr_assert_eq(a->misses, b->misses, "%s", said);
		cr_assert_eq(a->sets, b->sets, "%s", said);
		cr_assert_eq(a->evictions, b->evictions, "%s: %lu, %lu", said, a->evictions,
			     b->evictions);
	}
	if (nothing_expires) {
		cr_assert_eq(a->entry_count, b->entry_count, "%s", said);
		cr_assert_eq(a->total_size_bytes, b->total_size_bytes, "%s", said);
		cr_assert_eq(a->used_bytes, b->used_bytes, "%s", said);
		cr_assert(restarts || a->deletes == b->deletes, "%s", said);
		cr_assert(restarts || a->expirations == b->expirations, "%s", said);
		cr_assert_eq(a->max_frequency, b->max_frequency, "%s", said);
		cr_assert_float_eq(a->avg_frequency, b->avg_frequency, 1e-9, "%s", said);
	}
	for (int i = 0; i < 2; i++)
		cache_op_deinit(&ops[i]);
}

/* For Redis a prefix of its own each time. */
static const void *settings_of(const char *backend)
{
	static struct redis_config config;
	static char prefix[64];
	static unsigned turn;

	if (strcmp(backend, "redis") != 0)
		return NULL;
	(void)snprintf(prefix, sizeof(prefix), "steadycache:%d-%u", (int)getpid(), turn++);
	config = (struct redis_config){.prefix = prefix, .timeout_us = 20 * US_PER_S};
	return &config;
}

/* `name` may be a plugin's text. */
static struct backend *open_named(const char *name, const struct backend_config *base)
{
	struct backend_config config = *base;
	char error[256] = "";

	config.url = strcmp(name, "redis") == 0         ? getenv("STEADYCACHE_TEST_REDIS_URL")
		     : strncmp(name, "plugin:", 7) == 0 ? name
							: NULL;
	config.settings = settings_of(name);
	struct backend *backend = backend_find_by_text(name)->open(&config, error, sizeof(error));
	cr_assert(backend, "%s", error);
	return backend;
}

static void configure_first(const char *ns)
{
	run_on_both(
		&(struct plan){.type = CACHE_OP_CONFIGURE,
			       .ns = ns,
			       .settings.stale_ttl_s = stale_ttls_s[strcmp(ns, "n") == 0 ? 0 : 1],
			       .mask = SETTING_POLICY | SETTING_STALE_TTL});
}

/* Only to a shorter time: with a longer one entries come back that were not swept yet, which
 * depends on time. */
static void bound_idle_time(struct plan *plan)
{
	int64_t *now_s = &idle_s[strcmp(plan->ns, "n") == 0 ? 0 : 1];

	if (plan->drop)
		*now_s = 0;
	if (!(plan->mask & SETTING_MAX_IDLE))
		return;
	if (*now_s > 0 && plan->settings.max_idle_s > *now_s)
		plan->settings.max_idle_s = *now_s;
	*now_s = plan->settings.max_idle_s;
}

static void run_round(const char *other, uint64_t seed, bool nothing_expires)
{
	const char *const names[2] = {"memory", other};
	struct temp_dir dir;

	random_state = seed;
	now_us = INT64_C(1700000000000000);
	temp_dir_create(&dir);
	struct backend_config config = {.data_dir = dir.path, .clock = &clock_of_both};
	for (int i = 0; i < 2; i++)
		backends[i] = open_named(names[i], &config);
	/* Their defaults differ. And if a stale time grows, expired entries that were not swept yet
	 * come back, which depends on time. */
	for (int i = 0; i < NAMESPACES; i++) {
		stale_ttls_s[i] = roll(2) ? roll(30) : 0;
		idle_s[i] = 0;
	}
	configure_first("n");
	configure_first("other");
	for (unsigned step = 0; step < STEPS; step++) {
		if (restarts && roll(12) == 0) {
			backends[1]->ops->close(backends[1]);
			backends[1] = open_named(other, &config);
		}
		struct plan plan = random_plan();

		now_us += 1 + roll(roll(3) ? 1000 : 3000000);
		for (size_t i = 0; i < plan.count && nothing_expires; i++) {
			plan.ttls[i] = 0;
			plan.histories[i].expires_at_us = 0;
		}
		plan.mask &=
			nothing_expires ? ~(unsigned)(SETTING_DEFAULT_TTL | SETTING_MAX_IDLE) : ~0U;
		bound_idle_time(&plan);
		say(&plan, seed, step);
		run_on_both(&plan);
		if (plan.drop)
			configure_first(plan.ns);
		compare_listings(plan.ns);
		compare_stats(plan.ns, nothing_expires);
	}
	for (int i = 0; i < 2; i++)
		backends[i]->ops->close(backends[i]);
	temp_dir_destroy(&dir);
}

static unsigned rounds(void)
{
	const char *text = getenv("STEADYCACHE_AGREE_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : 2;
}

static void expect_agreement(const char *other)
{
	for (unsigned i = 0; i < rounds(); i++) {
		run_round(other, i, true);
		run_round(other, 1000000 + i, false);
	}
}

Test(backends_agree, sqlite)
{
	expect_agreement("sqlite");
}

/* Memory that persists is memory, whatever is in the file only, and after each restart. */
Test(backends_agree, persisted)
{
	restarts = true;
	expect_agreement("persisted");
}

Test(backends_agree, spilling)
{
	restarts = true;
	expect_agreement("spilling");
}

Test(backends_agree, keeper)
{
	expect_agreement("hash");
}

Test(backends_agree, keeper_over_a_driver_that_blocks)
{
	expect_agreement("slow");
}

/* The one that the environment names, over restarts. */
Test(backends_agree, plugin)
{
	const char *text = getenv("STEADYCACHE_TEST_BACKEND");

	restarts = true;
	if (text && strncmp(text, "plugin:", 7) == 0)
		expect_agreement(text);
}

/* tests/redis/bed.py runs it over a Cluster. */
Test(backends_agree, redis)
{
	if (!getenv("STEADYCACHE_TEST_REDIS_URL"))
		return;
	nothing_is_evicted = true;
	apart_us = 2 * BATCH_MAX;
	expect_agreement("redis");
}
