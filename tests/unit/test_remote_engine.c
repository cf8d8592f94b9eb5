/* The engine of remote backends in virtual time: what is sent when, what is tried again, what an op
 * is told and when, whatever the upstream does (tests/support/fake_upstream.h). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/remote/backoff.h"
#include "tests/support/fake_upstream.h"
#include "tests/support/random.h"

#define MS INT64_C(1000)
#define S  US_PER_S

#define OPS_MAX 64

/* An op, and when it was done. */
struct asked {
	struct cache_op op;
	char key[16];
	int64_t done_us; /* 0: not yet */
};

static struct fake_upstream *fake;
static struct asked asked[OPS_MAX];
static size_t asked_count;
static int64_t start_us;

static void note_done(struct cache_op *op)
{
	struct asked *ask = op->user;

	cr_assert_eq(ask->done_us, 0, "done once");
	ask->done_us = fake->now_us;
}

static void open_lines(void)
{
	fake = fake_open(FAKE_LINES);
	start_us = fake->now_us;
	asked_count = 0;
}

static void open_parts(void)
{
	open_lines();
	fake_close(fake);
	fake = fake_open(FAKE_PARTS);
}

static void close_all(void)
{
	fake_close(fake);
	for (size_t i = 0; i < asked_count; i++) {
		struct cache_op *op = &asked[i].op;

		for (size_t at = 0; op->type == CACHE_OP_SET && at < op->item_count; at++)
			cache_value_release(op->items[at].value);
		cr_expect_neq(asked[i].done_us, 0, "op %zu was never done", i);
		cache_op_deinit(op);
		if (op->items != &op->one)
			free(op->items);
	}
}

TestSuite(remote_engine, .init = open_lines, .fini = close_all, .timeout = 60);
TestSuite(remote_parts_of_calls, .init = open_parts, .fini = close_all, .timeout = 60);

static struct asked *make(enum cache_op_type type, const char *ns, const char *key,
			  const char *value)
{
	struct asked *ask = &asked[asked_count++];

	cr_assert_leq(asked_count, OPS_MAX);
	*ask = (struct asked){0};
	cache_op_init(&ask->op, type);
	(void)snprintf(ask->key, sizeof(ask->key), "%s", key);
	ask->op.ns = slice_of(ns);
	ask->op.one.key = slice_of(ask->key);
	if (type == CACHE_OP_SET)
		ask->op.one.value = cache_value_copy(slice_of(value), SLICE(CONTENT_TYPE_TEXT));
	ask->op.limit = 1;
	ask->op.done = note_done;
	ask->op.user = ask;
	return ask;
}

static struct asked *submit(struct asked *ask)
{
	remote_engine_submit(&fake->engine, &ask->op);
	return ask;
}

static struct asked *get(const char *key)
{
	return submit(make(CACHE_OP_GET, "n", key, NULL));
}

static struct asked *set(const char *key, const char *value)
{
	return submit(make(CACHE_OP_SET, "n", key, value));
}

/* A batch of keys "a", "b", ... */
static struct asked *batch(enum cache_op_type type, size_t count)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	struct asked *ask = make(type, "n", "", NULL);

	cache_value_release(ask->op.one.value);
	ask->op.items = calloc(count, sizeof(*ask->op.items));
	ask->op.item_count = count;
	for (size_t i = 0; i < count; i++) {
		ask->op.items[i].key = (struct slice){.data = &letters[i], .len = 1};
		if (type == CACHE_OP_SET)
			ask->op.items[i].value =
				cache_value_copy(ask->op.items[i].key, SLICE(CONTENT_TYPE_TEXT));
	}
	return submit(ask);
}

static void expect_sent(size_t i, int64_t after_us, const char *body)
{
	cr_assert_lt(i, fake->sent_count, "request %zu was not sent", i);
	cr_expect_eq(fake->sent[i].at_us - start_us, after_us, "request %zu was sent at %lld us", i,
		     (long long)(fake->sent[i].at_us - start_us));
	cr_expect_str_eq(fake->sent[i].body, body, "request %zu is \"%s\"", i, fake->sent[i].body);
}

static void expect_done(const struct asked *ask, enum cache_status status, int64_t after_us)
{
	cr_expect_eq(ask->op.status, status, "%d", ask->op.status);
	cr_expect_eq(ask->done_us - start_us, after_us, "done at %lld us",
		     (long long)(ask->done_us - start_us));
}

/* The wait before try number attempt + 1, as the engine will draw it; *random is its state. */
static int64_t backoff_us(uint64_t *random, unsigned attempt)
{
	return remote_backoff_us(attempt, remote_backoff_random(random));
}

static const struct fake_reply hangs = {.what = FAKE_HANGS};
static const struct fake_reply fails_500 = {.what = FAKE_ANSWERS, .status = 500};
static const struct fake_reply refuses = {.what = FAKE_FAILS, .failure = FAILURE_CONNECT};
static const struct fake_reply breaks_off = {.what = FAKE_FAILS, .failure = FAILURE_RESET};

static struct fake_reply serves_after(int64_t us)
{
	return (struct fake_reply){.delay_us = us};
}

/* ---- Merging and order ---- */

Test(remote_engine, an_idle_upstream_is_asked_at_once)
{
	struct asked *a = get("a");

	fake_always(fake, serves_after(3 * MS));
	fake_run(fake, S);
	expect_sent(0, 0, "get n a \n");
	expect_done(a, CACHE_NOT_FOUND, 3 * MS);
	cr_expect(fake_is_idle(fake));
	cr_expect_eq(fake_counter(fake, COUNT_LATENCY_MAX_US), 3 * MS);
}

Test(remote_engine, what_comes_meanwhile_waits_for_company)
{
	fake_always(fake, serves_after(5 * MS));
	(void)get("a");
	fake_run(fake, 100);
	(void)get("b");
	fake_run(fake, 200);
	struct asked *c = get("c");
	fake_run(fake, S);
	expect_sent(1, 100 + MERGE_WINDOW_US, "get n b \nget n c \n");
	expect_done(c, CACHE_NOT_FOUND, 100 + MERGE_WINDOW_US + 5 * MS);
	cr_expect_eq(fake->sent_count, 2);
	cr_expect_eq(fake_counter(fake, COUNT_MERGED), 1);
}

Test(remote_engine, while_all_slots_are_taken_what_waits_grows_together)
{
	fake_always(fake, serves_after(40 * MS));
	(void)get("a");
	fake_run(fake, 100);
	(void)get("b");
	fake_run(fake, 10 * MS);
	for (char key[] = "c"; key[0] <= 'p'; key[0]++)
		(void)get(key);
	fake_run(fake, S);
	expect_sent(1, 100 + MERGE_WINDOW_US, "get n b \n");
	expect_sent(2, 40 * MS,
		    "get n c \nget n d \nget n e \nget n f \nget n g \nget n h \nget n i \n"
		    "get n j \nget n k \nget n l \n");
	expect_sent(3, 41 * MS + 100, "get n m \nget n n \nget n o \nget n p \n");
	cr_expect_eq(fake->under_way_max, 2);
}

Test(remote_engine, equal_gets_cost_one_request_and_a_sent_one_is_not_joined)
{
	struct asked *all[6];

	fake_always(fake, serves_after(10 * MS));
	(void)set("a", "1");
	fake_run(fake, 100 * MS);
	for (size_t i = 0; i < 6; i++) {
		all[i] = get("a");
		fake_run(fake, i == 0 ? MS : 100);
	}
	fake_run(fake, S);
	expect_sent(1, 100 * MS, "get n a \n");
	expect_sent(2, 110 * MS, "get n a \n");
	cr_expect_eq(fake->sent_count, 3);
	for (size_t i = 0; i < 6; i++)
		expect_done(all[i], CACHE_OK, i == 0 ? 110 * MS : 120 * MS);
	cr_expect_eq(all[1]->op.one.value, all[5]->op.one.value, "they share the value");
}

Test(remote_engine, writes_of_a_key_arrive_in_their_order)
{
	fake_next(fake, 1, serves_after(50 * MS));
	fake_always(fake, serves_after(MS));
	(void)set("a", "1");
	fake_run(fake, MS);
	(void)set("a", "2");
	(void)submit(make(CACHE_OP_DELETE, "n", "a", NULL));
	(void)set("a", "3");
	(void)set("b", "1");
	fake_run(fake, S);
	expect_sent(1, MS + MERGE_WINDOW_US, "set n b 1\n");
	expect_sent(2, 50 * MS, "set n a 2\n");
	expect_sent(3, 51 * MS, "delete n a \n");
	expect_sent(4, 52 * MS, "set n a 3\n");
}

Test(remote_engine, a_write_of_a_namespace_waits_and_is_waited_for)
{
	fake_always(fake, serves_after(10 * MS));
	(void)set("a", "1");
	fake_run(fake, MS);
	(void)submit(make(CACHE_OP_CLEAR, "n", "", NULL));
	(void)set("b", "2");
	(void)submit(make(CACHE_OP_SET, "other", "b", "3"));
	fake_run(fake, S);
	expect_sent(1, MS + MERGE_WINDOW_US, "set other b 3\n");
	expect_sent(2, 10 * MS, "clear n  \n");
	expect_sent(3, 20 * MS, "set n b 2\n");
}

Test(remote_engine, the_first_trace_of_a_request_names_it)
{
	static const struct cache_trace trace = {.request_id = "r-2"};

	(void)get("a");
	make(CACHE_OP_GET, "n", "b", NULL)->op.trace = &trace;
	(void)submit(&asked[1]);
	fake_run(fake, S);
	cr_expect_str_eq(fake->sent[0].trace, "r-2");
}

/* ---- Retries ---- */

Test(remote_engine, what_fails_is_tried_again_after_the_backoff)
{
	uint64_t random = fake->engine.random;
	int64_t at_us = 0;
	struct fake_reply reply = fails_500;

	reply.delay_us = 7 * MS;
	fake_always(fake, reply);
	struct asked *a = get("a");
	fake_run(fake, 9 * S);
	for (unsigned attempt = 1; attempt <= 4; attempt++) {
		expect_sent(attempt - 1, at_us, "get n a \n");
		at_us += 7 * MS;
		if (attempt < 4)
			at_us += backoff_us(&random, attempt);
	}
	cr_expect_eq(fake->sent_count, 4);
	expect_done(a, CACHE_UNAVAILABLE, at_us);
	cr_expect_str_eq(a->op.detail, "failed");
	cr_expect_eq(fake_counter(fake, COUNT_RETRIES), 3);
	cr_expect_eq(fake_failures(fake, FAILURE_SERVER_ERROR), 4);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, a_retry_that_succeeds_is_a_success)
{
	uint64_t random = fake->engine.random;

	fake_next(fake, 1, breaks_off);
	struct asked *a = set("a", "1");
	fake_run(fake, S);
	expect_done(a, CACHE_OK, backoff_us(&random, 1));
	cr_expect_eq(fake_failures(fake, FAILURE_RESET), 1);
}

static void ask_once_only(struct fake_reply reply, unsigned requests)
{
	struct asked *a = make(CACHE_OP_SET, "n", "a", "1");

	a->op.one.condition.kind = CONDITION_ABSENT;
	fake_next(fake, 1, reply);
	(void)submit(a);
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, requests);
	cr_expect_eq(a->op.status, requests == 1 ? CACHE_UNAVAILABLE : CACHE_OK);
}

Test(remote_engine, a_condition_is_not_repeated_once_it_may_have_been_read)
{
	ask_once_only(breaks_off, 1);
}

Test(remote_engine, a_condition_is_repeated_if_there_was_no_connection)
{
	ask_once_only(refuses, 2);
}

Test(remote_engine, what_another_try_cannot_mend_is_not_tried_again)
{
	static const struct {
		struct fake_reply reply;
		enum cache_status status;
		const char *sentence;
	} cases[] = {
		{{.what = FAKE_FAILS, .failure = FAILURE_TLS}, CACHE_UNAVAILABLE, "untrusted"},
		{{.what = FAKE_ANSWERS, .status = 403}, CACHE_UNAVAILABLE, "unauthorized"},
		{{.what = FAKE_ANSWERS, .status = 413}, CACHE_TOO_LARGE, "too large"},
		{{.what = FAKE_ANSWERS, .status = 501}, CACHE_UNAVAILABLE, "failed"},
		{{.what = FAKE_ANSWERS, .status = 302}, CACHE_UNAVAILABLE, "strange"},
		{{.what = FAKE_ANSWERS, .status = 200, .body = "what?\n"},
		 CACHE_UNAVAILABLE,
		 "bad answer"},
		{{.what = FAKE_ANSWERS, .status = 200}, CACHE_UNAVAILABLE, "bad answer"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_next(fake, 1, cases[i].reply);
		struct asked *a = get("a");
		fake_run(fake, S);
		cr_expect_eq(a->op.status, cases[i].status, "%zu: %d", i, a->op.status);
		cr_expect_str_eq(a->op.detail, cases[i].sentence);
		cr_expect_eq(fake->sent_count, i + 1);
		(void)get("b"); /* which is served: the breaker stays closed */
		fake_run(fake, S);
		fake->sent_count--;
		free(fake->sent[fake->sent_count].headers);
		free(fake->sent[fake->sent_count].body);
	}
}

Test(remote_engine, a_retry_after_is_honoured)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 3};

	fake_next(fake, 1, reply);
	struct asked *a = get("a");
	fake_run(fake, MS);
	struct asked *b = get("b");
	fake_run(fake, 9 * S);
	expect_sent(1, MS + MERGE_WINDOW_US, "get n b \n");
	expect_sent(2, 3 * S, "get n a \n");
	expect_done(a, CACHE_NOT_FOUND, 3 * S);
	expect_done(b, CACHE_NOT_FOUND, 2 * MS);
}

Test(remote_engine, a_429_holds_all_requests)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 429, .retry_after_s = 3};

	fake_next(fake, 1, reply);
	struct asked *a = get("a");
	fake_run(fake, MS);
	struct asked *b = get("b");
	fake_run(fake, 9 * S);
	expect_done(a, CACHE_NOT_FOUND, 3 * S);
	expect_done(b, CACHE_NOT_FOUND, 3 * S);
	cr_expect_eq(fake->sent_count, 3);
	cr_expect_eq(fake->sent[1].at_us, start_us + 3 * S);
}

Test(remote_engine, a_retry_that_would_come_too_late_is_not_awaited)
{
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 11});
	struct asked *a = get("a");
	fake_run(fake, S);
	expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(a->op.retry_after_s, 11);
	cr_expect_eq(fake_counter(fake, COUNT_RETRIES), 0);
}

Test(remote_engine, a_pause_beyond_the_deadline_fails_at_once)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 429, .retry_after_s = 30};

	fake_next(fake, 1, reply);
	struct asked *a = get("a");
	fake_run(fake, S);
	struct asked *b = get("b");
	fake_run(fake, S);
	expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(a->op.retry_after_s, 30);
	expect_done(b, CACHE_UNAVAILABLE, S);
	cr_expect_eq(b->op.retry_after_s, 30);
	cr_expect_str_eq(b->op.detail, "throttled");
	cr_expect_eq(fake->sent_count, 1);
	fake_run(fake, 20 * S);
	struct asked *c = get("c");
	fake_run(fake, 9 * S);
	expect_done(c, CACHE_NOT_FOUND, 30 * S);
}

/* ---- Deadlines ---- */

Test(remote_engine, an_upstream_that_never_answers_costs_the_timeout)
{
	fake_always(fake, hangs);
	struct asked *a = get("a");
	fake_run(fake, 4 * S);
	struct asked *b = set("b", "1");
	struct asked *c = make(CACHE_OP_CHECK, "n", "", NULL);
	fake_run(fake, 4 * S);
	(void)submit(c); /* waits: both slots are taken */
	fake_run(fake, 11 * S);
	expect_done(a, CACHE_TIMEOUT, 10 * S);
	cr_expect_str_eq(a->op.detail, "timeout");
	expect_done(b, CACHE_TIMEOUT, 14 * S);
	expect_done(c, CACHE_OK, 18 * S);
	cr_expect_not(c->op.checks[0].ok);
	cr_expect_str_eq(c->op.checks[0].detail, "timeout");
	cr_expect_geq(fake_failures(fake, FAILURE_TIMEOUT), 2);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, what_waits_is_done_by_its_deadline)
{
	fake->settings.max_in_flight = 1;
	fake_always(fake, hangs);
	(void)get("a");
	fake_run(fake, 5 * S);
	fake->settings.timeout_us = 2 * S;
	struct asked *b = get("b");
	fake_run(fake, 9 * S);
	expect_done(b, CACHE_TIMEOUT, 7 * S);
	cr_expect_eq(fake->sent_count, 1);
	cr_expect_eq(fake_failures(fake, FAILURE_EXPIRED), 1);
}

/* Of two ops of one request the one that has no time until the retry fails now. */
Test(remote_engine, a_retry_too_late_for_one_is_in_time_for_another)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 8};

	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, serves_after(3 * S));
	fake_next(fake, 1, reply);
	(void)get("a");
	fake_run(fake, 100 * MS);
	struct asked *b = get("b");
	fake_run(fake, 2 * S);
	struct asked *c = get("c");
	fake_run(fake, 20 * S);
	expect_sent(1, 3 * S, "get n b \nget n c \n");
	expect_done(b, CACHE_UNAVAILABLE, 3 * S);
	cr_expect_eq(b->op.retry_after_s, 8);
	expect_sent(2, 11 * S, "gone\nget n c \n");
	expect_done(c, CACHE_NOT_FOUND, 11 * S);
}

/* A write whose time is over may still be on its way: the next one of its key waits for that. */
Test(remote_engine, a_lock_outlives_its_op)
{
	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, serves_after(3 * S));
	fake_next(fake, 1, hangs);
	(void)get("a");
	fake_run(fake, 100 * MS);
	struct asked *b = set("b", "1");
	fake_run(fake, 2 * S);
	struct asked *c = get("c");
	fake_run(fake, S);
	fake->settings.max_in_flight = 2;
	fake_run(fake, 7400 * MS);
	expect_sent(1, 3 * S, "set n b 1\nget n c \n");
	expect_done(b, CACHE_TIMEOUT, 10100 * MS);
	(void)set("b", "2");
	(void)set("d", "2");
	fake_run(fake, 5 * S);
	expect_done(c, CACHE_TIMEOUT, 12100 * MS);
	expect_sent(2, 10500 * MS + MERGE_WINDOW_US, "set n d 2\n");
	expect_sent(3, 12100 * MS, "set n b 2\n");
}

Test(remote_engine, it_ends_with_requests_under_way)
{
	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, serves_after(3 * S));
	fake_always(fake, hangs);
	(void)get("a");
	fake_run(fake, 100 * MS);
	(void)set("b", "1");
	fake->settings.timeout_us = 60 * S;
	fake_run(fake, S);
	(void)get("c");
	fake_run(fake, 4 * S);
	fake->engine.calls->jobs.first->next->deadline_us = fake->now_us; /* of "c" */
	fake->engine.calls->next_limit_us = 0;
	fake_run(fake, 6 * S);
	cr_expect_eq(asked[1].op.status, CACHE_TIMEOUT);
	cr_expect_not(fake_is_idle(fake), "the request is under way; close forgets it");
}

/* ---- The breaker ---- */

/* Five failures in a row, the last at start_us. */
static void open_breaker(void)
{
	fake->settings.retries = 0;
	for (int i = 0; i < 5; i++) {
		(void)get("a");
		fake_run(fake, 0);
	}
	cr_assert(fake->engine.breaker.is_open);
	cr_assert_eq(fake->sent_count, 5);
}

Test(remote_engine, after_five_failures_in_a_row_ops_fail_at_once)
{
	fake_always(fake, refuses);
	open_breaker();
	struct asked *b = get("b");
	fake_run(fake, 100 * MS);
	expect_done(b, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(b->op.retry_after_s, 1);
	cr_expect_str_eq(b->op.detail, "unreachable");
	cr_expect_eq(fake->sent_count, 5);
	cr_expect_eq(fake_failures(fake, FAILURE_REFUSED), 1);
	cr_expect_eq(fake_counter(fake, COUNT_OPENED), 1);
	cr_expect_eq(fake->notice_count, 1);
	cr_expect_str_eq(fake->notices[0], "fake: unreachable; operations fail at once until the "
					   "upstream answers");
}

Test(remote_engine, what_waits_when_the_breaker_opens_fails_with_it)
{
	struct fake_reply last = refuses;

	last.delay_us = 100 * MS;
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 2});
	fake_next(fake, 3, refuses);
	fake_next(fake, 1, last);
	struct asked *a = get("a");
	fake_run(fake, 0);
	fake->settings.retries = 0;
	for (int i = 0; i < 3; i++) {
		(void)get("b");
		fake_run(fake, MERGE_WINDOW_US);
	}
	(void)get("b");
	fake_run(fake, MERGE_WINDOW_US);
	struct asked *c = get("c");
	fake_run(fake, 50 * MS);
	cr_expect_eq(a->done_us, 0, "waits for its retry");
	cr_expect_eq(c->done_us, 0, "waits for a slot");
	fake_run(fake, 60 * MS);
	int64_t opened_us = 4 * MERGE_WINDOW_US + 100 * MS;
	expect_done(a, CACHE_UNAVAILABLE, opened_us);
	expect_done(c, CACHE_UNAVAILABLE, opened_us);
	cr_expect_str_eq(a->op.detail, "unreachable");
	cr_expect_eq(fake->sent_count, 5);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, what_opens_the_breaker_is_not_tried_again)
{
	fake_always(fake, refuses);
	fake->engine.breaker.threshold = 1;
	struct asked *a = get("a");
	fake_run(fake, MS);
	expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(fake_counter(fake, COUNT_RETRIES), 0);
}

Test(remote_engine, a_success_between_failures_keeps_the_breaker_closed)
{
	fake->settings.retries = 0;
	for (int i = 0; i < 4; i++) {
		fake_next(fake, 3, refuses);
		fake_next(fake, 1, serves_after(0));
	}
	for (int i = 0; i < 16; i++) {
		(void)get("a");
		fake_run(fake, MS);
	}
	cr_expect_eq(fake->sent_count, 16);
	cr_expect_not(fake->engine.breaker.is_open);
}

Test(remote_engine, probes_close_the_breaker_once_the_upstream_is_back)
{
	fake_always(fake, refuses);
	open_breaker();
	fake_run(fake, 500 * MS);
	/* Both kinds every 200 ms, as long as they fail at once. */
	expect_sent(5, 200 * MS, "probe\n");
	expect_sent(6, 200 * MS, "probe\n");
	expect_sent(7, 400 * MS, "probe\n");
	expect_sent(8, 400 * MS, "probe\n");
	cr_expect_eq(fake->sent_count, 9);
	fake_always(fake, serves_after(30 * MS));
	fake_run(fake, 110 * MS);
	cr_expect_eq(remote_breaker_state(&fake->engine.breaker), BREAKER_HALF_OPEN);
	fake_run(fake, 20 * MS);
	cr_expect_eq(remote_breaker_state(&fake->engine.breaker), BREAKER_CLOSED);
	cr_expect_str_eq(fake->notices[1], "fake: the upstream answers again");
	struct asked *b = get("b");
	fake_run(fake, S);
	expect_done(b, CACHE_NOT_FOUND, 660 * MS);
	cr_expect_eq(fake_counter(fake, COUNT_PROBES), 6);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, a_quick_probe_gives_up_and_a_patient_one_waits)
{
	fake_always(fake, refuses);
	open_breaker();
	fake_always(fake, serves_after(3 * S));
	fake_run(fake, 3100 * MS);
	/* The patient one was sent at 200 ms; quick ones each 400 ms and a pause of 200 ms. */
	expect_sent(7, 800 * MS, "probe\n");
	expect_sent(8, 1400 * MS, "probe\n");
	cr_expect(fake->engine.breaker.is_open);
	fake_run(fake, 100 * MS);
	cr_expect_not(fake->engine.breaker.is_open, "the patient one came back at 3.2 s");
}

Test(remote_engine, an_answer_that_is_no_outage_keeps_the_breaker_closed)
{
	fake->settings.retries = 0;
	fake_always(fake, (struct fake_reply){.what = FAKE_ANSWERS, .status = 403});
	for (int i = 0; i < 10; i++) {
		(void)get("a");
		fake_run(fake, MS);
	}
	cr_expect_not(fake->engine.breaker.is_open);
	cr_expect_eq(fake->sent_count, 10);
	cr_expect_eq(fake->notice_count, 1, "what the operator must mend is told once");
	cr_expect_str_eq(fake->notices[0], "fake: unauthorized");
}

/* ---- Dialects and steps ---- */

Test(remote_engine, an_upstream_of_the_old_kind_is_asked_in_its_dialect)
{
	fake->lacks_new = true;
	struct asked *a = set("a", "1");
	struct asked *clear = submit(make(CACHE_OP_CLEAR, "m", "", NULL));
	fake_run(fake, S);
	expect_done(a, CACHE_OK, 0);
	expect_done(clear, CACHE_UNSUPPORTED, 0);
	cr_expect_str_eq(clear->op.detail, "the old dialect cannot clear");
	cr_expect_str_eq(fake->sent[0].path, "/new");
	cr_expect_str_eq(fake->sent[fake->sent_count - 1].path, "/old");
	size_t before = fake->sent_count;
	(void)get("a");
	fake_run(fake, 58 * S);
	cr_expect_eq(fake->sent_count, before + 1, "for a minute it is not asked again");
	fake_run(fake, 2 * S);
	(void)get("a");
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, before + 3);
	cr_expect_str_eq(fake->sent[before + 1].path, "/new");
	cr_expect_eq(asked[3].op.status, CACHE_OK);
	fake->lacks_new = false;
	fake_run(fake, 60 * S);
	(void)get("a");
	fake_run(fake, S);
	cr_expect_str_eq(fake->sent[before + 3].path, "/new");
	cr_expect_eq(fake->sent_count, before + 4);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, a_call_takes_as_many_requests_as_it_needs)
{
	uint64_t random = fake->engine.random;

	fake->scan_pages = 3;
	fake_always(fake, serves_after(10 * MS));
	fake_next(fake, 1, serves_after(10 * MS));
	fake_next(fake, 1, fails_500);
	struct asked *a = submit(make(CACHE_OP_SCAN, "n", "", NULL));
	fake_run(fake, S);
	int64_t again_us = 10 * MS + backoff_us(&random, 1);
	expect_sent(1, 10 * MS, "scan n  \n");
	expect_sent(2, again_us, "scan n  \n");
	expect_sent(3, again_us + 10 * MS, "scan n  \n");
	expect_done(a, CACHE_OK, again_us + 20 * MS);
	cr_expect_eq(fake->sent_count, 4);
	cr_expect(fake_is_idle(fake));
}

/* ---- Streams ---- */

Test(remote_engine, a_stream_of_bytes_needs_no_http)
{
	fake->is_stream = true;
	fake_next(fake, 1, serves_after(5 * MS));
	struct asked *a = set("a", "1");
	struct asked *b = get("b");
	fake_run(fake, MS);
	struct asked *c = get("a");
	fake_run(fake, S);
	cr_expect_eq(fake->sent[0].replies, 2);
	expect_done(a, CACHE_OK, 5 * MS);
	expect_done(b, CACHE_NOT_FOUND, 5 * MS);
	expect_done(c, CACHE_OK, 5 * MS); /* not before those that came earlier */
}

Test(remote_engine, a_stream_that_breaks_off_fails_all_that_is_under_way)
{
	struct fake_reply reply = breaks_off;

	fake->is_stream = true;
	fake->settings.retries = 0;
	reply.delay_us = 5 * MS;
	fake_next(fake, 1, reply);
	struct asked *a = get("a");
	fake_run(fake, MS);
	struct asked *b = get("b");
	fake_run(fake, S);
	expect_done(a, CACHE_UNAVAILABLE, 5 * MS);
	expect_done(b, CACHE_UNAVAILABLE, 5 * MS);
	cr_expect_str_eq(b->op.detail, "broken off");
}

/* ---- Several requests at once, and signatures ---- */

Test(remote_parts_of_calls, parts_are_sent_as_far_as_there_are_slots)
{
	fake_always(fake, serves_after(10 * MS));
	struct asked *all = batch(CACHE_OP_SET, 5);
	fake_run(fake, MS);
	struct asked *one = get("z");
	fake_run(fake, S);
	expect_sent(0, 0, "set n a a\n");
	expect_sent(1, 0, "set n b b\n");
	/* A free slot first serves what has none. */
	expect_sent(2, 10 * MS, "get n z \n");
	expect_sent(3, 10 * MS, "set n c c\n");
	expect_done(one, CACHE_NOT_FOUND, 20 * MS);
	expect_sent(4, 20 * MS, "set n d d\n");
	expect_sent(5, 20 * MS, "set n e e\n");
	expect_done(all, CACHE_OK, 30 * MS);
	cr_expect_eq(fake->under_way_max, 2);
	cr_expect_eq(fake->sent_count, 6);
	cr_expect(fake_is_idle(fake));
	struct asked *back = batch(CACHE_OP_GET, 6);
	fake_run(fake, S);
	cr_expect_eq(back->op.status, CACHE_OK);
	for (size_t i = 0; i < 6; i++)
		cr_expect_eq(back->op.items[i].status, i < 5 ? CACHE_OK : CACHE_NOT_FOUND);
}

Test(remote_parts_of_calls, each_part_has_its_own_tries)
{
	uint64_t random = fake->engine.random;

	fake->settings.max_in_flight = 8;
	fake_next(fake, 1, serves_after(MS));
	fake_next(fake, 1, breaks_off);
	fake_next(fake, 1, serves_after(2 * MS));
	struct asked *all = batch(CACHE_OP_SET, 3);
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, 4);
	int64_t again_us = backoff_us(&random, 1);
	expect_sent(3, again_us, "set n b b\n");
	expect_done(all, CACHE_OK, again_us > 2 * MS ? again_us : 2 * MS);
	cr_expect(fake_is_idle(fake));
}

Test(remote_parts_of_calls, a_part_that_fails_fails_the_op_and_keeps_the_locks)
{
	fake->settings.max_in_flight = 8;
	fake_next(fake, 1, serves_after(50 * MS));
	fake_next(fake, 1, (struct fake_reply){.what = FAKE_ANSWERS, .status = 413});
	fake_next(fake, 1, serves_after(20 * MS));
	struct asked *all = batch(CACHE_OP_SET, 3);
	fake_run(fake, MS);
	expect_done(all, CACHE_TOO_LARGE, 0);
	(void)set("b", "2");
	fake_run(fake, S);
	expect_sent(3, 50 * MS, "set n b 2\n");
	cr_expect(fake_is_idle(fake));
}

Test(remote_parts_of_calls, parts_not_yet_sent_are_not_sent_once_the_op_has_failed)
{
	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, (struct fake_reply){.what = FAKE_ANSWERS, .status = 413});
	struct asked *all = batch(CACHE_OP_SET, 3);
	fake_run(fake, S);
	expect_done(all, CACHE_TOO_LARGE, 0);
	cr_expect_eq(fake->sent_count, 1);
	fake_always(fake, hangs);
	all = batch(CACHE_OP_SET, 3);
	fake_run(fake, 20 * S);
	expect_done(all, CACHE_TIMEOUT, 11 * S);
	cr_expect_eq(fake->sent_count, 2);
	cr_expect(fake_is_idle(fake));
}

Test(remote_parts_of_calls, parts_not_yet_sent_fail_when_the_breaker_opens)
{
	struct fake_reply reply = refuses;

	reply.delay_us = 5 * MS;
	fake->engine.breaker.threshold = 1;
	fake_next(fake, 1, reply);
	fake_next(fake, 1, serves_after(50 * MS));
	struct asked *one = get("z");
	fake_run(fake, 0);
	struct asked *all = batch(CACHE_OP_SET, 3);
	fake_run(fake, 10 * MS);
	expect_sent(1, MERGE_WINDOW_US, "set n a a\n");
	expect_done(one, CACHE_UNAVAILABLE, 5 * MS);
	expect_done(all, CACHE_UNAVAILABLE, 5 * MS);
	cr_expect_eq(fake->sent_count, 2);
	cr_expect_not(fake_is_idle(fake), "the first part is still under way");
	fake_run(fake, S);
	cr_expect(fake_is_idle(fake));
}

Test(remote_parts_of_calls, a_pause_holds_further_parts)
{
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 429, .retry_after_s = 2});
	struct asked *all = batch(CACHE_OP_SET, 3);
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, 2);
	fake_run(fake, 5 * S);
	expect_done(all, CACHE_OK, 2 * S);
	cr_expect_eq(fake->sent_count, 4);
}

Test(remote_parts_of_calls, requests_are_signed_after_they_are_written)
{
	fake_next(fake, 1, breaks_off);
	struct asked *a = set("a", "1");
	fake_run(fake, S);
	cr_expect_eq(a->op.status, CACHE_OK);
	cr_expect_eq(fake->sent_count, 2, "the retry is signed too");
	for (size_t i = 0; i < fake->sent_count; i++) {
		cr_expect_str_eq(fake->sent[i].method, "PUT");
		cr_expect_str_eq(fake->sent[i].headers,
				 "X-Part: first\nX-Signature: PUT /parts 10 X-Part: first\n");
	}
}

Test(remote_parts_of_calls, what_cannot_be_signed_is_not_sent)
{
	fake->sign_refusal = "the key has expired";
	struct asked *a = set("a", "1");
	struct asked *b = batch(CACHE_OP_GET, 3);
	fake_run(fake, S);
	expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_str_eq(a->op.detail, "the key has expired");
	expect_done(b, CACHE_UNAVAILABLE, MERGE_WINDOW_US);
	cr_expect_eq(fake->sent_count, 0);
	cr_expect(fake_is_idle(fake));
	fake->sign_refusal = NULL;
	a = set("a", "1");
	fake_run(fake, S);
	cr_expect_eq(a->op.status, CACHE_OK);
}

/* ---- Anything at all ---- */

#define SOAK_OPS   4000
#define SOAK_KEYS  6
#define SOAK_SLOTS 48

static struct fake_reply any_reply(void)
{
	struct fake_reply reply = {.delay_us = (int64_t)random_below(30 * MS)};
	uint64_t dice = random_below(100);

	if (dice < 70)
		return reply;
	reply.what = dice < 85 ? FAKE_FAILS : FAKE_ANSWERS;
	reply.failure = dice < 74 ? FAILURE_CONNECT : FAILURE_RESET;
	reply.was_served = dice < 80;
	reply.status = dice < 92 ? 500 : 429;
	reply.retry_after_s = dice >= 97;
	if (dice == 99)
		reply = hangs;
	return reply;
}

struct soak_key {
	unsigned set;     /* the last value that was asked for */
	unsigned settled; /* the last value that was answered with OK */
};

struct soak_op {
	struct asked ask;
	struct soak_key *key;
	unsigned value;   /* of a set */
	unsigned settled; /* of its key when it was submitted */
	int64_t submitted_us;
	bool is_used;
};

static unsigned number_of(const struct cache_value *value)
{
	struct slice text = cache_value_bytes(value);
	unsigned number = 0;

	for (size_t i = 0; i < text.len; i++)
		number = number * 10 + (unsigned)(text.data[i] - '0');
	return number;
}

static void check_soaked(struct soak_op *soak)
{
	struct cache_op *op = &soak->ask.op;
	unsigned found = 0;

	cr_assert_leq(soak->ask.done_us,
		      soak->submitted_us + fake->settings.timeout_us + PLAN_EXPIRE_STEP_US);
	if (op->type == CACHE_OP_SET && op->status == CACHE_OK && soak->key->settled < soak->value)
		soak->key->settled = soak->value;
	if (op->type == CACHE_OP_GET && op->status == CACHE_OK)
		found = number_of(op->one.value);
	/* Writes of a key arrive in order, so what is found never goes back. */
	if (op->type == CACHE_OP_GET && (op->status == CACHE_OK || op->status == CACHE_NOT_FOUND)) {
		cr_assert_geq(found, soak->settled, "%u was found after %u", found, soak->settled);
		cr_assert_leq(found, soak->key->set);
	}
	if (op->type == CACHE_OP_SET)
		cache_value_release(op->one.value);
	cache_op_deinit(op);
	soak->is_used = false;
}

static void start_soaked(struct soak_op *soak, struct soak_key *keys)
{
	size_t i = random_below(SOAK_KEYS);
	char text[16];
	enum cache_op_type type = random_below(2) ? CACHE_OP_SET : CACHE_OP_GET;

	*soak = (struct soak_op){.key = &keys[i], .submitted_us = fake->now_us, .is_used = true};
	cache_op_init(&soak->ask.op, type);
	(void)snprintf(soak->ask.key, sizeof(soak->ask.key), "k%zu", i);
	soak->ask.op.ns = SLICE("n");
	soak->ask.op.one.key = slice_of(soak->ask.key);
	soak->ask.op.done = note_done;
	soak->ask.op.user = &soak->ask;
	soak->settled = keys[i].settled;
	if (type == CACHE_OP_SET) {
		soak->value = ++keys[i].set;
		(void)snprintf(text, sizeof(text), "%u", soak->value);
		soak->ask.op.one.value = cache_value_copy(slice_of(text), SLICE(CONTENT_TYPE_TEXT));
	}
	remote_engine_submit(&fake->engine, &soak->ask.op);
}

static void soak(void)
{
	static struct soak_op ops[SOAK_SLOTS];
	struct soak_key keys[SOAK_KEYS] = {0};
	unsigned started = 0;

	fake->choose = any_reply;
	fake->settings.timeout_us = 800 * MS;
	fake->engine.breaker.threshold = 12;
	while (started < SOAK_OPS) {
		struct soak_op *op = &ops[random_below(SOAK_SLOTS)];

		if (!op->is_used) {
			start_soaked(op, keys);
			started++;
		}
		if (random_below(3) == 0)
			fake_run(fake, (int64_t)random_below(8 * MS));
		for (size_t i = 0; i < SOAK_SLOTS; i++)
			if (ops[i].is_used && ops[i].ask.done_us > 0)
				check_soaked(&ops[i]);
	}
	fake_run(fake, 2 * S);
	for (size_t i = 0; i < SOAK_SLOTS; i++)
		if (ops[i].is_used)
			check_soaked(&ops[i]);
	fake->choose = NULL;
	fake_run(fake, 2 * S);
	cr_expect(fake_is_idle(fake));
	cr_expect_gt(keys[0].settled, 100);
}

Test(remote_engine, whatever_happens_each_op_is_done_in_time_and_in_order)
{
	soak();
}

Test(remote_parts_of_calls, whatever_happens_each_op_is_done_in_time_and_in_order)
{
	soak();
}
