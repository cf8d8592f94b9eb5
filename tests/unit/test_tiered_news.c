/* A near cache and the news of what others do to its backend, which answers when a test says so. */
#include <criterion/criterion.h>

#include "backends/tiered/tiered.h"
#include "base/clock.h"

static struct backend_config given; /* to the inner backend */
static struct cache_op *held;       /* that it has */
static unsigned asked, asked_stats;
static int64_t max_idle_s; /* of the namespace */
static int64_t now_us;
static struct backend *tiered;
static struct cache_op op;
static unsigned told; /* news that were passed on */
static bool was_gone; /* the copy of "k" was, when they were */

static void inner_submit(struct backend *backend, struct cache_op *of)
{
	(void)backend;
	cr_assert_null(held);
	held = of;
	asked++;
}

static void inner_stats(struct backend *backend, struct cache_op *of)
{
	(void)backend;
	asked_stats++;
	of->stats = calloc(1, sizeof(*of->stats));
	cr_assert(of->stats);
	of->stats_count = 1;
	of->stats->settings.max_idle_s = max_idle_s;
	cache_op_complete(of, CACHE_OK);
}

static void inner_close(struct backend *backend)
{
	(void)backend;
}

static struct backend *inner_open(const struct backend_config *config, char *error,
				  size_t error_size);

static const struct backend_ops inner_ops = {
	.name = "inner",
	.bits = BACKEND_WHOLE | BACKEND_NEWS | BACKEND_IDLE,
	.open = inner_open,
	.get = inner_submit,
	.set = inner_submit,
	.remove = inner_submit,
	.expire = inner_submit,
	.clear = inner_submit,
	.stats = inner_stats,
	.configure = inner_submit,
	.close = inner_close,
};

static struct backend *inner_open(const struct backend_config *config, char *error,
				  size_t error_size)
{
	static struct backend inner = {.ops = &inner_ops};

	(void)error;
	(void)error_size;
	given = *config;
	return &inner;
}

static void op_done(struct cache_op *of)
{
	*(bool *)of->user = true;
}

/* Begins an op on "k"; whether it is done already. */
static bool begin(struct cache_op *of, enum cache_op_type type, const char *value)
{
	static bool done;

	done = false;
	cache_op_init(of, type);
	of->ns = SLICE("ns");
	of->done = op_done;
	of->user = &done;
	if (cache_op_has_items(type))
		of->one.key = SLICE("k");
	if (value)
		of->one.value = cache_value_copy(slice_of(value), SLICE(CONTENT_TYPE_TEXT));
	backend_submit(tiered, of);
	return done;
}

/* The inner backend answers: with a value, or without any. */
static void answer(const char *value)
{
	struct cache_op *of = held;

	held = NULL;
	if (of->type == CACHE_OP_GET) {
		of->one.value =
			value ? cache_value_copy(slice_of(value), SLICE(CONTENT_TYPE_TEXT)) : NULL;
		of->one.status = value ? CACHE_OK : CACHE_NOT_FOUND;
		of->status = of->one.status;
	} else {
		of->one.status = of->status = CACHE_OK;
		if (of->type == CACHE_OP_SET)
			of->one.value->modified_at_us = 1;
	}
	of->done(of);
}

static void end(struct cache_op *of)
{
	cache_value_release(of->type == CACHE_OP_SET ? of->one.value : NULL);
	if (of->type == CACHE_OP_SET)
		of->one.value = NULL;
	cache_op_deinit(of);
}

/* Whether "k" is near. */
static bool is_near(void)
{
	struct cache_op get;
	bool is = begin(&get, CACHE_OP_GET, NULL);

	if (!is)
		answer(NULL);
	end(&get);
	return is;
}

static void make_near(void)
{
	(void)begin(&op, CACHE_OP_GET, NULL);
	answer("old");
	end(&op);
	cr_assert(is_near());
}

static void take_news(void *user, const struct cache_news *news)
{
	(void)news;
	cr_expect_eq(user, &told);
	told++;
	was_gone = !is_near();
}

static void tell(enum cache_news_kind kind, const char *ns, const char *key)
{
	given.news(given.news_user,
		   &(struct cache_news){.kind = kind, .ns = slice_of(ns), .key = slice_of(key)});
}

static int64_t read_clock(void *user)
{
	(void)user;
	return now_us;
}

static void open_tiered(void)
{
	static const struct backend_config config = {.news = take_news, .news_user = &told};
	static const struct cache_clock clock = {.now_us = read_clock};
	static const struct tiered_config near = {
		.max_bytes = 1 << 20, .ttl_us = 3600 * US_PER_S, .clock = &clock};
	char error[100];

	now_us = US_PER_S * 1000;
	max_idle_s = 0;
	asked_stats = 0;

	tiered = tiered_open(&inner_ops, &config, &near, error, sizeof(error));
	cr_assert(tiered);
	cr_assert(given.news_always);
	cr_assert(tiered->ops->bits & BACKEND_NEWS);
	told = asked = 0;
}

static void close_tiered(void)
{
	tiered->ops->close(tiered);
}

TestSuite(tiered_news, .init = open_tiered, .fini = close_tiered, .timeout = 20);

static const struct {
	enum cache_news_kind kind;
	const char *ns, *key;
} ends[] = {
	{NEWS_WRITTEN, "ns", "k"},   {NEWS_DELETED, "ns", "k"},     {NEWS_CLEARED, "ns", ""},
	{NEWS_CLEARED, "ns", "pre"}, {NEWS_MAY_BE_MISSING, "", ""},
};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

Test(tiered_news, end_copies_before_they_are_passed_on)
{
	for (size_t i = 0; i < ENDS; i++) {
		make_near();
		was_gone = false;
		tell(ends[i].kind, ends[i].ns, ends[i].key);
		cr_expect_eq(told, i + 1);
		cr_expect(was_gone, "news %zu", i);
		cr_expect_not(is_near());
	}
}

Test(tiered_news, of_other_keys_end_nothing)
{
	make_near();
	tell(NEWS_WRITTEN, "ns", "l");
	tell(NEWS_DELETED, "other", "k");
	tell(NEWS_CLEARED, "other", "");
	tell(NEWS_LEASE_ENDED, "ns", "k");
	cr_expect(is_near());
	cr_expect_eq(told, 4);
}

/* The answer may be from before what the news are about. */
Test(tiered_news, end_fills_under_way)
{
	struct cache_op get;

	for (size_t i = 0; i < ENDS; i++) {
		cr_assert_not(begin(&get, CACHE_OP_GET, NULL));
		struct cache_op *of = held;
		held = NULL;
		tell(ends[i].kind, ends[i].ns, ends[i].key);
		held = of;
		answer("old");
		end(&get);
		cr_expect_not(is_near(), "news %zu", i);
	}
	make_near(); /* the next one is kept */
}

/* Which of the two came later, only the backend knows. */
Test(tiered_news, meet_a_write_of_our_own)
{
	for (size_t i = 0; i < ENDS; i++) {
		cr_assert_not(begin(&op, CACHE_OP_SET, "ours"));
		struct cache_op *of = held;
		held = NULL;
		tell(ends[i].kind, ends[i].ns, ends[i].key);
		held = of;
		answer(NULL);
		end(&op);
		cr_expect_not(is_near(), "news %zu", i);
	}
	(void)begin(&op, CACHE_OP_SET, "ours");
	answer(NULL);
	end(&op);
	cr_expect(is_near(), "without news it is kept");
}

Test(tiered_news, a_clear_of_our_own_ends_all)
{
	make_near();
	cr_assert_not(begin(&op, CACHE_OP_CLEAR, NULL));
	answer(NULL);
	end(&op);
	cr_expect_not(is_near());
	make_near();
}

/* The copy, and what a fill brings that began before it, have the old time to live. */
Test(tiered_news, another_time_to_live_ends_copies_and_fills_under_way)
{
	struct cache_op get;

	make_near();
	cr_assert_not(begin(&op, CACHE_OP_EXPIRE, NULL));
	cr_expect_eq(held->type, CACHE_OP_EXPIRE);
	answer(NULL);
	end(&op);
	cr_assert_not(begin(&get, CACHE_OP_GET, NULL), "the copy has the old time to live");
	struct cache_op *of = held;
	held = NULL;
	(void)begin(&op, CACHE_OP_EXPIRE, NULL);
	answer(NULL);
	end(&op);
	held = of;
	answer("old");
	end(&get);
	cr_expect_not(is_near(), "the fill has the old time to live");
}

/* ---- Entries that go if nobody uses them ---- */

/* The backend sees no hits of copies, so who wants the entry has to ask it in time. */
Test(tiered_news, copies_do_not_keep_uses_from_a_backend_that_counts_them)
{
	max_idle_s = 80;
	make_near();
	cr_expect_eq(asked_stats, 0, "a copy as young as that may answer in any case");
	now_us += 10 * US_PER_S;
	cr_expect(is_near());
	cr_expect_eq(asked_stats, 1);
	now_us += 1;
	cr_expect_not(is_near(), "an eighth of the time is over");
	make_near();
	cr_expect_eq(asked_stats, 1);
	max_idle_s = 0;
	now_us += 60 * US_PER_S;
	cr_expect_not(is_near());
	make_near();
	now_us += 5 * US_PER_S;
	cr_expect(is_near());
	cr_expect_eq(asked_stats, 2, "somebody else may have configured it");
	now_us += 50 * US_PER_S;
	cr_expect(is_near());
}

Test(tiered_news, an_idle_time_that_is_configured_here_is_known_at_once)
{
	make_near();
	max_idle_s = 8;
	(void)begin(&op, CACHE_OP_CONFIGURE, NULL);
	held->settings.max_idle_s = max_idle_s;
	held->settings_mask = SETTING_MAX_IDLE;
	answer(NULL);
	end(&op);
	make_near();
	now_us += US_PER_S + 1;
	cr_expect_not(is_near());
}
