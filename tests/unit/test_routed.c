/* Several backends behind one: where names lead, and what the whole says of each. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backends/memory/memory.h"
#include "backends/redis/redis.h"
#include "backends/routed/pattern.h"
#include "backends/routed/routed.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Patterns ---- */

static bool matches(const char *pattern, const char *name)
{
	return routed_pattern_matches(slice_of(pattern), slice_of(name));
}

Test(routed, patterns_match_whole_names)
{
	static const char *const good[][2] = {
		{"*", ""},        {"*", "a"},         {"a", "a"},           {"a*", "a"},
		{"a*", "abc"},    {"*c", "abc"},      {"*c", "cc"},         {"a?c", "abc"},
		{"a*c", "abcbc"}, {"*b*d*", "abcde"}, {"**", "x"},          {"?*", "x"},
		{"a.b", "a.b"},   {"*ab", "aab"},     {"a*b*c", "aXbYbZc"}, {"*aab", "aaaab"},
	};
	static const char *const bad[][2] = {
		{"", "a"},      {"a", ""},    {"a", "A"},       {"a", "ab"},
		{"a?", "a"},    {"a*", "ba"}, {"*c", "abcd"},   {"a?c", "ac"},
		{"a.b", "axb"}, {"?*", ""},   {"a*b*c", "acb"}, {"*aab", "aaba"},
	};
	char many[ROUTED_PATTERN_MAX_LEN + 1] = "", name[65] = "";

	for (size_t i = 0; i < COUNT(good); i++)
		cr_expect(matches(good[i][0], good[i][1]), "%s %s", good[i][0], good[i][1]);
	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not(matches(bad[i][0], bad[i][1]), "%s %s", bad[i][0], bad[i][1]);
	/* In no time. */
	for (size_t i = 0; i + 2 < sizeof(many); i += 2)
		memcpy(many + i, "*a", 3);
	memset(name, 'a', 64);
	strcpy(many + sizeof(many) - 3, "*b");
	cr_expect_not(matches(many, name));
}

Test(routed, patterns_have_characters_of_names)
{
	char long_one[ROUTED_PATTERN_MAX_LEN + 2];

	memset(long_one, 'a', sizeof(long_one) - 1);
	long_one[sizeof(long_one) - 1] = '\0';
	cr_expect_not(routed_pattern_is_valid(slice_of(long_one)));
	cr_expect(routed_pattern_is_valid(slice_of(long_one + 1)));
	cr_expect(routed_pattern_is_valid(SLICE("Az09_.-*?")));
	cr_expect_not(routed_pattern_is_valid(SLICE("")));
	cr_expect_not(routed_pattern_is_valid(SLICE("a b")));
	cr_expect_not(routed_pattern_is_valid(SLICE("[ab]")));
	cr_expect_not(routed_pattern_is_valid(((struct slice){.data = "a\0b", .len = 3})));
}

/* ---- A backend that answers when the test wants it ---- */

static struct cache_op *held[8]; /* by it */
static size_t held_count;
static atomic_uint hurried, closed;
static struct backend_config given;
static struct backend late;

static void hold(struct backend *backend, struct cache_op *op)
{
	(void)backend;
	held[held_count++] = op;
}

static void answer_held(enum cache_status status, const char *detail)
{
	struct cache_op *op = held[--held_count];

	op->detail = detail;
	op->retry_after_s = status == CACHE_OK ? 0 : 7;
	if (op->type == CACHE_OP_CHECK && status == CACHE_OK)
		op->checks[op->check_count++] = (struct cache_health_check){.name = "upstream"};
	cache_op_complete(op, status);
}

static void late_hurry(struct backend *backend)
{
	(void)backend;
	(void)atomic_fetch_add(&hurried, 1);
}

static void late_close(struct backend *backend)
{
	(void)backend;
	(void)atomic_fetch_add(&closed, 1);
}

static size_t late_gauges(struct backend *backend, struct backend_gauge *ret, size_t max)
{
	(void)backend;
	cr_assert_gt(max, 1);
	ret[0] = (struct backend_gauge)GAUGE_LEVEL("late", "held", held_count, "Held.");
	return 1;
}

static struct backend *late_open(const struct backend_config *config, char *error,
				 size_t error_size)
{
	given = *config;
	if (config->url && strcmp(config->url, "late://refuses") == 0) {
		(void)snprintf(error, error_size, "it does not open");
		return NULL;
	}
	return &late;
}

static const struct backend_ops late_ops = {
	.name = "late",
	.bits = BACKEND_PERSISTS | BACKEND_REMOTE | BACKEND_STATS | BACKEND_LEASES |
		BACKEND_ATOMIC_BATCH | BACKEND_NEWS,
	.value_max_bytes = 100,
	.set_max_items = 10,
	.open = late_open,
	.get = hold,
	.set = hold,
	.stats = hold,
	.check = hold,
	.sync = hold,
	.lease = hold,
	.gauges = late_gauges,
	.hurry = late_hurry,
	.close = late_close,
};
static struct backend late = {.ops = &late_ops};

/* ---- The whole: "late_*" is in the late one, "m2" in a second memory ---- */

static char labels[][16] = {"memory", "late://h", "memory://"};
static struct backend_place places[] = {
	{.ops = &memory_backend_ops, .label = labels[0]},
	{.ops = &late_ops, .label = labels[1]},
	{.ops = &memory_backend_ops, .label = labels[2]},
};
static const struct routed_rule rules[] = {
	{.pattern = "late_*", .place = 1}, {.pattern = "m2", .place = 2}, {.pattern = "*"}};
static const struct routed_config routes = {
	.rules = rules, .rule_count = 3, .places = places, .place_count = 3};
static const char *const names[] = {"late_a", "other", "late_b", NULL};

static struct backend *whole;
static struct cache_news heard;
static unsigned heard_count;
static char notice[512];

static void hear(void *user, const struct cache_news *news)
{
	(void)user;
	heard = *news;
	heard_count++;
}

static void note(void *user, enum notice_level level, const char *sentence)
{
	(void)user;
	(void)level;
	(void)snprintf(notice, sizeof(notice), "%s", sentence);
}

static const struct backend_config config = {
	.settings = &routes, .news = hear, .notice = note, .default_names = names};

static void open_whole(void)
{
	char error[300] = "";

	whole = routed_backend_ops.open(&config, error, sizeof(error));
	cr_assert_not_null(whole, "%s", error);
}

static void close_whole(void)
{
	whole->ops->close(whole);
	cr_expect_eq(atomic_load(&closed), 1);
}

TestSuite(routed_whole, .init = open_whole, .fini = close_whole);

static unsigned done_count;

static void count_done(struct cache_op *op)
{
	(void)op;
	done_count++;
}

static void submit(struct cache_op *op, enum cache_op_type type, struct slice ns)
{
	cache_op_init(op, type);
	op->ns = ns;
	op->one.key = SLICE("key");
	op->done = count_done;
	done_count = 0;
}

static enum cache_status set_in(struct backend *backend, struct slice ns)
{
	struct cache_op op;

	submit(&op, CACHE_OP_SET, ns);
	op.one.value = cache_value_copy(SLICE("value"), SLICE("text/plain"));
	enum cache_status status = backend_call(backend, &op);
	cache_value_release(op.one.value);
	return status;
}

/* One that hangs holds its own ops, and nobody else's. */
Test(routed_whole, an_op_goes_where_its_namespace_leads)
{
	struct cache_op get, other;

	submit(&get, CACHE_OP_GET, SLICE("late_x"));
	backend_submit(whole, &get);
	cr_expect_eq(held_count, 1);
	cr_expect_eq(held[0], &get, "itself, without a copy");
	cr_expect_eq(set_in(whole, SLICE("x")), CACHE_OK);
	submit(&other, CACHE_OP_GET, SLICE("x"));
	cr_expect_eq(backend_call(whole, &other), CACHE_OK);
	cache_op_deinit(&other);
	submit(&other, CACHE_OP_GET, SLICE("m2"));
	cr_expect_eq(backend_call(whole, &other), CACHE_NOT_FOUND);
	cache_op_deinit(&other);
	done_count = 0;
	answer_held(CACHE_NOT_FOUND, NULL);
	cr_expect_eq(done_count, 1);
}

Test(routed_whole, promises_what_all_do_and_can_what_one_can)
{
	unsigned bits = whole->ops->bits;
	struct cache_op op;

	cr_expect_eq(bits & (BACKEND_PERSISTS | BACKEND_HISTORY | BACKEND_EXACT_EVICTION |
			     BACKEND_KEEPS_NOTHING),
		     0);
	cr_expect(bits & BACKEND_ATOMIC_BATCH);
	cr_expect(bits & BACKEND_CONDITIONS && bits & BACKEND_LEASES && bits & BACKEND_REMOTE);
	cr_expect_eq(whole->ops->value_max_bytes, 100);
	cr_expect_eq(whole->ops->set_max_items, 10);
	cr_expect_eq(whole->ops->branch_count, 3);
	/* By namespace. */
	struct backend_traits traits = backend_traits_of(whole, SLICE("late_x"));
	cr_expect_eq(traits.bits, late_ops.bits);
	cr_expect_eq(traits.value_max_bytes, 100);
	cr_expect_eq(traits.branch, 2);
	traits = backend_traits_of(whole, SLICE("x"));
	cr_expect_eq(traits.bits, memory_backend_ops.bits);
	cr_expect_eq(traits.headroom_record_bytes, memory_backend_ops.headroom_record_bytes);
	cr_expect_eq(traits.branch, 1);
	cr_expect_eq(backend_traits_of(whole, SLICE("m2")).branch, 3);
	cr_expect_eq(backend_traits_of(whole, SLICE("")).branch, 0);
	/* The others refuse in their own words. */
	submit(&op, CACHE_OP_LEASE_TAKE, SLICE("x"));
	cr_expect_eq(backend_call(whole, &op), CACHE_UNSUPPORTED);
	cr_expect_str_eq(op.detail, "this backend knows no leases");
	submit(&op, CACHE_OP_SCAN, SLICE("late_x"));
	op.limit = 1;
	cr_expect_eq(backend_call(whole, &op), CACHE_UNSUPPORTED);
}

static void give_stats(const char *const *stats_names, size_t count)
{
	struct cache_op *op = held[held_count - 1];

	op->stats = calloc(count, sizeof(*op->stats));
	op->stats_count = count;
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(op->stats[i].name, sizeof(op->stats[i].name), "%s", stats_names[i]);
		op->stats[i].entry_count = 1;
	}
	answer_held(CACHE_OK, NULL);
}

Test(routed_whole, statistics_are_merged_by_name)
{
	static const char *const of_late[] = {"late_z", "late_a", "m2"};
	static const char *const wanted[][2] = {{"a", "memory"},
						{"late_a", "late"},
						{"late_z", "late"},
						{"m2", "memory#2"},
						{"z", "memory"}};
	struct cache_op op;

	cr_expect_eq(set_in(whole, SLICE("z")), CACHE_OK);
	cr_expect_eq(set_in(whole, SLICE("a")), CACHE_OK);
	cr_expect_eq(set_in(whole, SLICE("m2")), CACHE_OK);
	submit(&op, CACHE_OP_STATS, SLICE(""));
	backend_submit(whole, &op);
	cr_assert_eq(held_count, 1);
	cr_expect_eq(done_count, 0);
	give_stats(of_late, 3);
	cr_expect_eq(done_count, 1);
	cr_expect_eq(op.status, CACHE_OK);
	cr_assert_eq(op.stats_count, COUNT(wanted), "without the m2 of the late one");
	for (size_t i = 0; i < COUNT(wanted); i++) {
		cr_expect_str_eq(op.stats[i].name, wanted[i][0]);
		cr_expect_str_eq(op.stats[i].backend, wanted[i][1]);
	}
	cr_expect(op.has_hidden);
	cr_expect(strstr(notice, "late://h") && strstr(notice, "\"m2\""), "%s", notice);
	cr_assert_eq(op.branch_count, 3);
	cr_expect_str_eq(op.branches[1].url, "late://h");
	cache_op_deinit(&op);
	/* Of one. */
	submit(&op, CACHE_OP_STATS, SLICE("m2"));
	cr_expect_eq(backend_call(whole, &op), CACHE_OK);
	cr_expect_str_eq(op.stats[0].backend, "memory#2");
	cr_expect_eq(op.stats[0].entry_count, 1);
	cache_op_deinit(&op);
	cr_expect_eq(held_count, 0);
}

Test(routed_whole, statistics_fail_with_one_unless_a_part_is_of_use)
{
	struct cache_op op;

	cr_expect_eq(set_in(whole, SLICE("a")), CACHE_OK);
	for (unsigned takes = 0; takes < 2; takes++) {
		submit(&op, CACHE_OP_STATS, SLICE(""));
		op.takes_branches = takes;
		op.patience_us = 5;
		backend_submit(whole, &op);
		cr_expect_eq(held[0]->patience_us, 5);
		answer_held(CACHE_TIMEOUT, "it hangs");
		cr_expect_eq(done_count, 1);
		cr_expect_eq(op.status, takes ? CACHE_OK : CACHE_TIMEOUT);
		if (!takes)
			cr_expect_str_eq(op.detail, "late: it hangs");
		cr_assert_eq(op.branch_count, 3);
		cr_expect_eq(op.branches[0].status, CACHE_OK);
		cr_expect_eq(op.branches[1].status, CACHE_TIMEOUT);
		cr_expect_eq(op.stats_count, takes);
		cache_op_deinit(&op);
	}
}

Test(routed_whole, a_check_tells_of_each_and_is_well_with_one)
{
	struct cache_op op;

	for (unsigned i = 0; i < 2; i++) {
		submit(&op, CACHE_OP_CHECK, SLICE(""));
		backend_submit(whole, &op);
		cr_expect_gt(held[0]->patience_us, 0, "a probe does not wait long");
		answer_held(i ? CACHE_OK : CACHE_UNAVAILABLE, "out of reach");
		cr_expect_eq(op.status, CACHE_OK);
		cr_assert_eq(op.check_count, 1);
		cr_expect(op.checks[0].ok);
		cr_expect_str_eq(op.checks[0].detail, "2 of 3 can be used");
		cr_assert_eq(op.branch_count, 3);
		cr_expect_eq(op.branches[0].check_count, 1);
		cr_expect_str_eq(op.branches[0].checks[0].name, "memory");
		cr_expect_eq(op.branches[1].check_count, i);
		if (!i)
			cr_expect_str_eq(op.branches[1].detail, "late: out of reach");
		cache_op_deinit(&op);
	}
}

Test(routed_whole, a_sync_is_of_all)
{
	struct cache_op op;

	submit(&op, CACHE_OP_SYNC, SLICE(""));
	backend_submit(whole, &op);
	cr_expect_eq(done_count, 0);
	answer_held(CACHE_NO_SPACE, NULL);
	cr_expect_eq(op.status, CACHE_NO_SPACE);
	cr_expect_eq(op.retry_after_s, 7);
	cr_expect_str_eq(op.detail, "late: no space left to store the value; free some space");
	cache_op_deinit(&op);
	submit(&op, CACHE_OP_SYNC, SLICE(""));
	backend_submit(whole, &op);
	answer_held(CACHE_OK, NULL);
	cr_expect_eq(op.status, CACHE_OK);
	cache_op_deinit(&op);
}

Test(routed_whole, news_of_namespaces_that_others_have_are_dropped)
{
	const struct cache_news of_late = {.kind = NEWS_WRITTEN, .ns = SLICE("late_x")};
	const struct cache_news of_other = {.kind = NEWS_WRITTEN, .ns = SLICE("m2")};
	const struct cache_news gap = {.kind = NEWS_MAY_BE_MISSING};

	given.news(given.news_user, &of_late);
	cr_expect_eq(heard_count, 1);
	cr_expect(slice_equal(heard.ns, SLICE("late_x")));
	given.news(given.news_user, &of_other);
	cr_expect_eq(heard_count, 1);
	given.news(given.news_user, &gap);
	cr_expect_eq(heard_count, 2);
	given.notice(given.notice_user, NOTICE_WARN, "it is slow");
	cr_expect_str_eq(notice, "late://h: it is slow");
}

Test(routed_whole, each_has_the_names_that_lead_to_it)
{
	cr_assert_not_null(given.default_names);
	cr_expect_str_eq(given.default_names[0], "late_a");
	cr_expect_str_eq(given.default_names[1], "late_b");
	cr_expect_null(given.default_names[2]);
}

Test(routed_whole, gauges_say_whose_they_are)
{
	struct backend_gauge gauges[BACKEND_GAUGES_MAX];
	size_t count = whole->ops->gauges(whole, gauges, COUNT(gauges));

	cr_assert_geq(count, 1);
	for (size_t i = 0; i < count; i++)
		cr_expect_str_eq(gauges[i].backend,
				 strcmp(gauges[i].group, "late") == 0 ? "late" : "memory");
	whole->ops->hurry(whole);
	cr_expect_eq(atomic_load(&hurried), 1);
}

Test(routed, one_that_does_not_open_closes_the_others)
{
	char error[300] = "";

	places[2] = (struct backend_place){
		.ops = &late_ops, .config.url = "late://refuses", .label = labels[2]};
	cr_expect_null(routed_backend_ops.open(&config, error, sizeof(error)));
	cr_expect_eq(atomic_load(&closed), 1);
	cr_expect_str_eq(error, "memory://: it does not open");
}

/* The wrong one is named, by the place that the user wrote. */
Test(routed, each_is_checked)
{
	char error[300] = "";

	cr_expect(routed_backend_ops.check_config(&config, error, sizeof(error)), "%s", error);
	places[2] = (struct backend_place){
		.ops = &redis_backend_ops, .config.url = "redis://h?x", .label = labels[2]};
	cr_expect_not(routed_backend_ops.check_config(&config, error, sizeof(error)));
	cr_expect_eq(strncmp(error, "memory://: the URL of Redis", 27), 0, "%s", error);
}
