/* The engine of remote backends in virtual time: what is sent when, what is retried, and the
 * outcome of each op and its time, whatever the upstream does (tests/support/fake_upstream.h). */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/asks.h"

static void open_lines(void)
{
	ask_open(FAKE_LINES);
}

TestSuite(remote_engine, .init = open_lines, .fini = ask_close, .timeout = 60);

/* ---- Merging and order ---- */

Test(remote_engine, an_idle_upstream_is_asked_at_once)
{
	struct ask *a = ask_get("a");

	fake_always(fake, ask_serves_after(3 * MS));
	fake_run(fake, S);
	ask_expect_sent(0, 0, "get n a \n");
	ask_expect_done(a, CACHE_NOT_FOUND, 3 * MS);
	cr_expect(fake_is_idle(fake));
	cr_expect_eq(fake_counter(fake, COUNT_LATENCY_MAX_US), 3 * MS);
}

Test(remote_engine, what_comes_meanwhile_waits_for_company)
{
	fake_always(fake, ask_serves_after(5 * MS));
	(void)ask_get("a");
	fake_run(fake, 100);
	(void)ask_get("b");
	fake_run(fake, 200);
	struct ask *c = ask_get("c");
	fake_run(fake, S);
	ask_expect_sent(1, 100 + MERGE_WINDOW_US, "get n b \nget n c \n");
	ask_expect_done(c, CACHE_NOT_FOUND, 100 + MERGE_WINDOW_US + 5 * MS);
	cr_expect_eq(fake->sent_count, 2);
	cr_expect_eq(fake_counter(fake, COUNT_MERGED), 1);
}

Test(remote_engine, while_all_slots_are_taken_what_waits_grows_together)
{
	fake_always(fake, ask_serves_after(40 * MS));
	(void)ask_get("a");
	fake_run(fake, 100);
	(void)ask_get("b");
	fake_run(fake, 10 * MS);
	for (char key[] = "c"; key[0] <= 'p'; key[0]++)
		(void)ask_get(key);
	fake_run(fake, S);
	ask_expect_sent(1, 100 + MERGE_WINDOW_US, "get n b \n");
	ask_expect_sent(2, 40 * MS,
			"get n c \nget n d \nget n e \nget n f \nget n g \nget n h \nget n i \n"
			"get n j \nget n k \nget n l \n");
	ask_expect_sent(3, 41 * MS + 100, "get n m \nget n n \nget n o \nget n p \n");
	cr_expect_eq(fake->under_way_max, 2);
}

Test(remote_engine, equal_gets_cost_one_request_and_a_sent_one_is_not_joined)
{
	struct ask *all[6];

	fake_always(fake, ask_serves_after(10 * MS));
	(void)ask_set("a", "1");
	fake_run(fake, 100 * MS);
	for (size_t i = 0; i < 6; i++) {
		all[i] = ask_get("a");
		fake_run(fake, i == 0 ? MS : 100);
	}
	fake_run(fake, S);
	ask_expect_sent(1, 100 * MS, "get n a \n");
	ask_expect_sent(2, 110 * MS, "get n a \n");
	cr_expect_eq(fake->sent_count, 3);
	for (size_t i = 0; i < 6; i++)
		ask_expect_done(all[i], CACHE_OK, i == 0 ? 110 * MS : 120 * MS);
	cr_expect_eq(all[1]->op.one.value, all[5]->op.one.value, "they share the value");
}

Test(remote_engine, writes_of_a_key_arrive_in_their_order)
{
	fake_next(fake, 1, ask_serves_after(50 * MS));
	fake_always(fake, ask_serves_after(MS));
	(void)ask_set("a", "1");
	fake_run(fake, MS);
	(void)ask_set("a", "2");
	(void)ask_submit(ask_make(CACHE_OP_DELETE, "n", "a", NULL));
	(void)ask_set("a", "3");
	(void)ask_set("b", "1");
	fake_run(fake, S);
	ask_expect_sent(1, MS + MERGE_WINDOW_US, "set n b 1\n");
	ask_expect_sent(2, 50 * MS, "set n a 2\n");
	ask_expect_sent(3, 51 * MS, "delete n a \n");
	ask_expect_sent(4, 52 * MS, "set n a 3\n");
}

Test(remote_engine, a_write_of_a_namespace_waits_and_is_waited_for)
{
	fake_always(fake, ask_serves_after(10 * MS));
	(void)ask_set("a", "1");
	fake_run(fake, MS);
	(void)ask_submit(ask_make(CACHE_OP_CLEAR, "n", "", NULL));
	(void)ask_set("b", "2");
	(void)ask_submit(ask_make(CACHE_OP_SET, "other", "b", "3"));
	fake_run(fake, S);
	ask_expect_sent(1, MS + MERGE_WINDOW_US, "set other b 3\n");
	ask_expect_sent(2, 10 * MS, "clear n  \n");
	ask_expect_sent(3, 20 * MS, "set n b 2\n");
}

Test(remote_engine, the_first_trace_of_a_request_names_it)
{
	static const struct cache_trace trace = {.request_id = "r-2"};

	(void)ask_get("a");
	ask_make(CACHE_OP_GET, "n", "b", NULL)->op.trace = &trace;
	(void)ask_submit(&asks[1]);
	fake_run(fake, S);
	cr_expect_str_eq(fake->sent[0].trace, "r-2");
}

/* ---- Retries ---- */

Test(remote_engine, what_fails_is_tried_again_after_the_backoff)
{
	uint64_t random = fake->engine.random;
	int64_t at_us = 0;
	struct fake_reply reply = ask_fails_500;

	reply.delay_us = 7 * MS;
	fake_always(fake, reply);
	struct ask *a = ask_get("a");
	fake_run(fake, 9 * S);
	for (unsigned attempt = 1; attempt <= 4; attempt++) {
		ask_expect_sent(attempt - 1, at_us, "get n a \n");
		at_us += 7 * MS;
		if (attempt < 4)
			at_us += ask_backoff_us(&random, attempt);
	}
	cr_expect_eq(fake->sent_count, 4);
	ask_expect_done(a, CACHE_UNAVAILABLE, at_us);
	cr_expect_str_eq(a->op.detail, "failed");
	cr_expect_eq(fake_counter(fake, COUNT_RETRIES), 3);
	cr_expect_eq(fake_failures(fake, FAILURE_SERVER_ERROR), 4);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, a_retry_that_succeeds_is_a_success)
{
	uint64_t random = fake->engine.random;

	fake_next(fake, 1, ask_breaks_off);
	struct ask *a = ask_set("a", "1");
	fake_run(fake, S);
	ask_expect_done(a, CACHE_OK, ask_backoff_us(&random, 1));
	cr_expect_eq(fake_failures(fake, FAILURE_RESET), 1);
}

static void ask_once_only(struct fake_reply reply, unsigned requests)
{
	struct ask *a = ask_make(CACHE_OP_SET, "n", "a", "1");

	a->op.one.condition.kind = CONDITION_ABSENT;
	fake_next(fake, 1, reply);
	(void)ask_submit(a);
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, requests);
	cr_expect_eq(a->op.status, requests == 1 ? CACHE_UNAVAILABLE : CACHE_OK);
}

Test(remote_engine, a_condition_is_not_repeated_once_it_may_have_been_read)
{
	ask_once_only(ask_breaks_off, 1);
}

Test(remote_engine, a_condition_is_repeated_if_there_was_no_connection)
{
	ask_once_only(ask_refuses, 2);
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
		struct ask *a = ask_get("a");
		fake_run(fake, S);
		cr_expect_eq(a->op.status, cases[i].status, "%zu: %d", i, a->op.status);
		cr_expect_str_eq(a->op.detail, cases[i].sentence);
		cr_expect_eq(fake->sent_count, i + 1);
		(void)ask_get("b"); /* which is served: the breaker stays closed */
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
	struct ask *a = ask_get("a");
	fake_run(fake, MS);
	struct ask *b = ask_get("b");
	fake_run(fake, 9 * S);
	ask_expect_sent(1, MS + MERGE_WINDOW_US, "get n b \n");
	ask_expect_sent(2, 3 * S, "get n a \n");
	ask_expect_done(a, CACHE_NOT_FOUND, 3 * S);
	ask_expect_done(b, CACHE_NOT_FOUND, 2 * MS);
}

Test(remote_engine, a_429_holds_all_requests)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 429, .retry_after_s = 3};

	fake_next(fake, 1, reply);
	struct ask *a = ask_get("a");
	fake_run(fake, MS);
	struct ask *b = ask_get("b");
	fake_run(fake, 9 * S);
	ask_expect_done(a, CACHE_NOT_FOUND, 3 * S);
	ask_expect_done(b, CACHE_NOT_FOUND, 3 * S);
	cr_expect_eq(fake->sent_count, 3);
	cr_expect_eq(fake->sent[1].at_us - fake->sent[0].at_us, 3 * S);
}

Test(remote_engine, a_retry_that_would_come_too_late_is_not_awaited)
{
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 11});
	struct ask *a = ask_get("a");
	fake_run(fake, S);
	ask_expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(a->op.retry_after_s, 11);
	cr_expect_eq(fake_counter(fake, COUNT_RETRIES), 0);
}

Test(remote_engine, a_pause_beyond_the_deadline_fails_at_once)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 429, .retry_after_s = 30};

	fake_next(fake, 1, reply);
	struct ask *a = ask_get("a");
	fake_run(fake, S);
	struct ask *b = ask_get("b");
	fake_run(fake, S);
	ask_expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(a->op.retry_after_s, 30);
	ask_expect_done(b, CACHE_UNAVAILABLE, S);
	cr_expect_eq(b->op.retry_after_s, 30);
	cr_expect_str_eq(b->op.detail, "throttled");
	cr_expect_eq(fake->sent_count, 1);
	fake_run(fake, 20 * S);
	struct ask *c = ask_get("c");
	fake_run(fake, 9 * S);
	ask_expect_done(c, CACHE_NOT_FOUND, 30 * S);
}

/* ---- Deadlines ---- */

Test(remote_engine, an_upstream_that_never_answers_costs_the_timeout)
{
	fake_always(fake, ask_hangs);
	struct ask *a = ask_get("a");
	fake_run(fake, 4 * S);
	struct ask *b = ask_set("b", "1");
	struct ask *c = ask_make(CACHE_OP_CHECK, "n", "", NULL);
	fake_run(fake, 4 * S);
	(void)ask_submit(c); /* waits: both slots are taken */
	fake_run(fake, 11 * S);
	ask_expect_done(a, CACHE_TIMEOUT, 10 * S);
	cr_expect_str_eq(a->op.detail, "timeout");
	ask_expect_done(b, CACHE_TIMEOUT, 14 * S);
	ask_expect_done(c, CACHE_OK, 18 * S);
	cr_expect_not(c->op.checks[0].ok);
	cr_expect_str_eq(c->op.checks[0].detail, "timeout");
	cr_expect_geq(fake_failures(fake, FAILURE_TIMEOUT), 2);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, an_op_with_less_patience_costs_no_more)
{
	fake_always(fake, ask_hangs);
	struct ask *a = ask_make(CACHE_OP_STATS, "n", "", NULL);
	a->op.patience_us = 2 * S;
	(void)ask_submit(a);
	struct ask *b = ask_make(CACHE_OP_STATS, "n", "", NULL);
	b->op.patience_us = 20 * S;
	(void)ask_submit(b);
	fake_run(fake, 11 * S);
	ask_expect_done(a, CACHE_TIMEOUT, 2 * S);
	ask_expect_done(b, CACHE_TIMEOUT, 10 * S);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, what_waits_is_done_by_its_deadline)
{
	fake->settings.max_in_flight = 1;
	fake_always(fake, ask_hangs);
	(void)ask_get("a");
	fake_run(fake, 5 * S);
	fake->settings.timeout_us = 2 * S;
	struct ask *b = ask_get("b");
	fake_run(fake, 9 * S);
	ask_expect_done(b, CACHE_TIMEOUT, 7 * S);
	cr_expect_eq(fake->sent_count, 1);
	cr_expect_eq(fake_failures(fake, FAILURE_EXPIRED), 1);
}

/* Of two ops of one request the one that has no time until the retry fails now. */
Test(remote_engine, a_retry_too_late_for_one_is_in_time_for_another)
{
	struct fake_reply reply = {.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 8};

	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, ask_serves_after(3 * S));
	fake_next(fake, 1, reply);
	(void)ask_get("a");
	fake_run(fake, 100 * MS);
	struct ask *b = ask_get("b");
	fake_run(fake, 2 * S);
	struct ask *c = ask_get("c");
	fake_run(fake, 20 * S);
	ask_expect_sent(1, 3 * S, "get n b \nget n c \n");
	ask_expect_done(b, CACHE_UNAVAILABLE, 3 * S);
	cr_expect_eq(b->op.retry_after_s, 8);
	ask_expect_sent(2, 11 * S, "gone\nget n c \n");
	ask_expect_done(c, CACHE_NOT_FOUND, 11 * S);
}

/* A write that timed out may still be on its way: the next one of its key waits for it. */
Test(remote_engine, a_lock_outlives_its_op)
{
	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, ask_serves_after(3 * S));
	fake_next(fake, 1, ask_hangs);
	(void)ask_get("a");
	fake_run(fake, 100 * MS);
	struct ask *b = ask_set("b", "1");
	fake_run(fake, 2 * S);
	struct ask *c = ask_get("c");
	fake_run(fake, S);
	fake->settings.max_in_flight = 2;
	fake_run(fake, 7400 * MS);
	ask_expect_sent(1, 3 * S, "set n b 1\nget n c \n");
	ask_expect_done(b, CACHE_TIMEOUT, 10100 * MS);
	(void)ask_set("b", "2");
	(void)ask_set("d", "2");
	fake_run(fake, 5 * S);
	ask_expect_done(c, CACHE_TIMEOUT, 12100 * MS);
	ask_expect_sent(2, 10500 * MS + MERGE_WINDOW_US, "set n d 2\n");
	ask_expect_sent(3, 12100 * MS, "set n b 2\n");
}

Test(remote_engine, it_ends_with_requests_under_way)
{
	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, ask_serves_after(3 * S));
	fake_always(fake, ask_hangs);
	(void)ask_get("a");
	fake_run(fake, 100 * MS);
	(void)ask_set("b", "1");
	fake->settings.timeout_us = 60 * S;
	fake_run(fake, S);
	(void)ask_get("c");
	fake_run(fake, 4 * S);
	fake->engine.calls->jobs.first->next->deadline_us = fake->now_us; /* of "c" */
	fake->engine.calls->next_limit_us = 0;
	fake_run(fake, 6 * S);
	cr_expect_eq(asks[1].op.status, CACHE_TIMEOUT);
	cr_expect_not(fake_is_idle(fake), "the request is under way; close forgets it");
}

Test(remote_engine, when_the_process_ends_ops_are_done_soon)
{
	fake->settings.max_in_flight = 1;
	fake_always(fake, ask_hangs);
	struct ask *sent = ask_set("a", "1");
	fake_run(fake, S);
	struct ask *waits = ask_get("b");
	fake_run(fake, S);
	remote_engine_hurry(&fake->engine);
	fake_run(fake, S);
	struct ask *late = ask_get("c");
	remote_engine_hurry(&fake->engine); /* the first one counts */
	fake_run(fake, 6 * S);
	ask_expect_done(sent, CACHE_TIMEOUT, 8 * S);
	ask_expect_done(waits, CACHE_TIMEOUT, 8 * S);
	ask_expect_done(late, CACHE_TIMEOUT, 8 * S);
	cr_expect_not(fake_is_idle(fake), "the request is still under way");
}

Test(remote_engine, when_the_process_ends_what_is_in_time_is_well)
{
	fake_next(fake, 1, ask_serves_after(6 * S));
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 7});
	struct ask *a = ask_set("a", "1");
	fake_run(fake, S);
	remote_engine_hurry(&fake->engine);
	struct ask *b = ask_set("b", "1");
	fake_run(fake, 6 * S);
	ask_expect_done(a, CACHE_OK, 6 * S);
	ask_expect_done(b, CACHE_UNAVAILABLE, S + MERGE_WINDOW_US);
	cr_expect(fake_is_idle(fake));
}

/* ---- The breaker ---- */

/* Five failures in a row; virtual time does not move. */
static void open_breaker(void)
{
	fake->settings.retries = 0;
	for (int i = 0; i < 5; i++) {
		(void)ask_get("a");
		fake_run(fake, 0);
	}
	cr_assert(fake->engine.breaker.is_open);
	cr_assert_eq(fake->sent_count, 5);
}

Test(remote_engine, after_five_failures_in_a_row_ops_fail_at_once)
{
	fake_always(fake, ask_refuses);
	open_breaker();
	struct ask *b = ask_get("b");
	fake_run(fake, 100 * MS);
	ask_expect_done(b, CACHE_UNAVAILABLE, 0);
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
	struct fake_reply last = ask_refuses;

	last.delay_us = 100 * MS;
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 503, .retry_after_s = 2});
	fake_next(fake, 3, ask_refuses);
	fake_next(fake, 1, last);
	struct ask *a = ask_get("a");
	fake_run(fake, 0);
	fake->settings.retries = 0;
	for (int i = 0; i < 3; i++) {
		(void)ask_get("b");
		fake_run(fake, MERGE_WINDOW_US);
	}
	(void)ask_get("b");
	fake_run(fake, MERGE_WINDOW_US);
	struct ask *c = ask_get("c");
	fake_run(fake, 50 * MS);
	cr_expect_eq(a->done_us, 0, "waits for its retry");
	cr_expect_eq(c->done_us, 0, "waits for a slot");
	fake_run(fake, 60 * MS);
	int64_t opened_us = 4 * MERGE_WINDOW_US + 100 * MS;
	ask_expect_done(a, CACHE_UNAVAILABLE, opened_us);
	ask_expect_done(c, CACHE_UNAVAILABLE, opened_us);
	cr_expect_str_eq(a->op.detail, "unreachable");
	cr_expect_eq(fake->sent_count, 5);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, what_opens_the_breaker_is_not_tried_again)
{
	fake_always(fake, ask_refuses);
	fake->engine.breaker.threshold = 1;
	struct ask *a = ask_get("a");
	fake_run(fake, MS);
	ask_expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_eq(fake_counter(fake, COUNT_RETRIES), 0);
}

Test(remote_engine, a_success_between_failures_keeps_the_breaker_closed)
{
	fake->settings.retries = 0;
	for (int i = 0; i < 4; i++) {
		fake_next(fake, 3, ask_refuses);
		fake_next(fake, 1, ask_serves_after(0));
	}
	for (int i = 0; i < 16; i++) {
		(void)ask_get("a");
		fake_run(fake, MS);
	}
	cr_expect_eq(fake->sent_count, 16);
	cr_expect_not(fake->engine.breaker.is_open);
}

/* One of the upstream's servers is away; what the others have is not refused for that. */
Test(remote_engine, what_fails_at_one_server_of_several_does_not_open_the_breaker)
{
	struct fake_reply refuses = ask_refuses;

	refuses.is_partial = true;
	fake->settings.retries = 0;
	fake_always(fake, refuses);
	for (int i = 0; i < 8; i++) {
		(void)ask_get("a");
		fake_run(fake, 0);
	}
	cr_expect_eq(fake->sent_count, 8);
	cr_expect_eq(fake_failures(fake, FAILURE_CONNECT), 8);
	cr_expect_not(fake->engine.breaker.is_open);
}

/* A connection that ends with many requests on it is one failure, and each is tried again. */
Test(remote_engine, what_breaks_off_together_does_not_open_the_breaker)
{
	static const char *const keys[8] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	struct ask *sets[8];

	fake->settings.max_in_flight = 8;
	fake->settings.batch_size = 1;
	for (int i = 0; i < 8; i++) {
		struct fake_reply breaks = ask_breaks_off;

		breaks.delay_us = (20 - i) * MS;
		fake_next(fake, 1, breaks);
	}
	for (int i = 0; i < 8; i++) {
		sets[i] = ask_set(keys[i], "1");
		fake_run(fake, MERGE_WINDOW_US);
	}
	fake_run(fake, S);
	cr_expect_not(fake->engine.breaker.is_open);
	cr_expect_eq(fake_counter(fake, COUNT_OPENED), 0);
	for (int i = 0; i < 8; i++)
		cr_expect_eq(sets[i]->op.status, CACHE_OK);
}

Test(remote_engine, what_breaks_off_one_after_the_other_opens_it)
{
	fake_always(fake, ask_breaks_off);
	fake->settings.retries = 0;
	for (int i = 0; i < 5; i++) {
		(void)ask_get("a");
		fake_run(fake, MS);
	}
	cr_expect(fake->engine.breaker.is_open);
}

Test(remote_engine, probes_close_the_breaker_once_the_upstream_is_back)
{
	fake_always(fake, ask_refuses);
	open_breaker();
	fake_run(fake, 500 * MS);
	/* Both kinds every 200 ms, as long as they fail at once. */
	ask_expect_sent(5, 200 * MS, "probe\n");
	ask_expect_sent(6, 200 * MS, "probe\n");
	ask_expect_sent(7, 400 * MS, "probe\n");
	ask_expect_sent(8, 400 * MS, "probe\n");
	cr_expect_eq(fake->sent_count, 9);
	fake_always(fake, ask_serves_after(30 * MS));
	fake_run(fake, 110 * MS);
	cr_expect_eq(remote_breaker_state(&fake->engine.breaker), BREAKER_HALF_OPEN);
	fake_run(fake, 20 * MS);
	cr_expect_eq(remote_breaker_state(&fake->engine.breaker), BREAKER_CLOSED);
	cr_expect_str_eq(fake->notices[1], "fake: the upstream answers again");
	struct ask *b = ask_get("b");
	fake_run(fake, S);
	ask_expect_done(b, CACHE_NOT_FOUND, 660 * MS);
	cr_expect_eq(fake_counter(fake, COUNT_PROBES), 6);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, a_quick_probe_gives_up_and_a_patient_one_waits)
{
	fake_always(fake, ask_refuses);
	open_breaker();
	fake_always(fake, ask_serves_after(3 * S));
	fake_run(fake, 3100 * MS);
	/* The patient one was sent at 200 ms; quick ones follow every 400 ms plus a pause of 200
	 * ms. */
	ask_expect_sent(7, 800 * MS, "probe\n");
	ask_expect_sent(8, 1400 * MS, "probe\n");
	cr_expect(fake->engine.breaker.is_open);
	fake_run(fake, 100 * MS);
	cr_expect_not(fake->engine.breaker.is_open, "the patient one came back at 3.2 s");
}

Test(remote_engine, an_answer_that_is_no_outage_keeps_the_breaker_closed)
{
	fake->settings.retries = 0;
	fake_always(fake, (struct fake_reply){.what = FAKE_ANSWERS, .status = 403});
	for (int i = 0; i < 10; i++) {
		(void)ask_get("a");
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
	struct ask *a = ask_set("a", "1");
	struct ask *clear = ask_submit(ask_make(CACHE_OP_CLEAR, "m", "", NULL));
	fake_run(fake, S);
	ask_expect_done(a, CACHE_OK, 0);
	ask_expect_done(clear, CACHE_UNSUPPORTED, 0);
	cr_expect_str_eq(clear->op.detail, "the old dialect cannot clear");
	cr_expect_str_eq(fake->sent[0].path, "/new");
	cr_expect_str_eq(fake->sent[fake->sent_count - 1].path, "/old");
	size_t before = fake->sent_count;
	(void)ask_get("a");
	fake_run(fake, 58 * S);
	cr_expect_eq(fake->sent_count, before + 1, "for a minute it is not asked again");
	fake_run(fake, 2 * S);
	(void)ask_get("a");
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, before + 3);
	cr_expect_str_eq(fake->sent[before + 1].path, "/new");
	cr_expect_eq(asks[3].op.status, CACHE_OK);
}

/* An op of a request that has to be asked in another dialect may be over by then. */
Test(remote_engine, what_was_over_before_is_not_asked_in_another_dialect)
{
	fake->lacks_new = true;
	fake->settings.max_in_flight = 1;
	fake_always(fake, ask_serves_after(3 * S));
	fake->settings.timeout_us = 2 * S;
	(void)ask_get("x");
	fake_run(fake, 500 * MS);
	fake->settings.timeout_us = 4 * S;
	struct ask *a = ask_set("a", "1");
	fake_run(fake, 1000 * MS);
	fake->settings.timeout_us = 10 * S;
	struct ask *b = ask_set("b", "1");
	fake_run(fake, 20 * S);
	ask_expect_sent(1, 2 * S, "set n a 1\nset n b 1\n");
	ask_expect_done(a, CACHE_TIMEOUT, 4500 * MS);
	ask_expect_sent(2, 5 * S, "set n b 1\n");
	ask_expect_done(b, CACHE_OK, 8 * S);
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, an_upstream_that_was_renewed_is_found_out)
{
	fake->lacks_new = true;
	(void)ask_get("a");
	fake_run(fake, S);
	fake->lacks_new = false;
	(void)ask_get("a");
	fake_run(fake, 60 * S);
	(void)ask_get("a");
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, 4);
	cr_expect_str_eq(fake->sent[2].path, "/old");
	cr_expect_str_eq(fake->sent[3].path, "/new");
	cr_expect(fake_is_idle(fake));
}

Test(remote_engine, a_call_takes_as_many_requests_as_it_needs)
{
	uint64_t random = fake->engine.random;

	fake->scan_pages = 3;
	fake_always(fake, ask_serves_after(10 * MS));
	fake_next(fake, 1, ask_serves_after(10 * MS));
	fake_next(fake, 1, ask_fails_500);
	struct ask *a = ask_submit(ask_make(CACHE_OP_SCAN, "n", "", NULL));
	fake_run(fake, S);
	int64_t again_us = 10 * MS + ask_backoff_us(&random, 1);
	ask_expect_sent(1, 10 * MS, "scan n  \n");
	ask_expect_sent(2, again_us, "scan n  \n");
	ask_expect_sent(3, again_us + 10 * MS, "scan n  \n");
	ask_expect_done(a, CACHE_OK, again_us + 20 * MS);
	cr_expect_eq(fake->sent_count, 4);
	cr_expect(fake_is_idle(fake));
}

/* ---- Streams ---- */

Test(remote_engine, a_stream_of_bytes_needs_no_http)
{
	fake->is_stream = true;
	fake_next(fake, 1, ask_serves_after(5 * MS));
	struct ask *a = ask_set("a", "1");
	struct ask *b = ask_get("b");
	fake_run(fake, MS);
	struct ask *c = ask_get("a");
	fake_run(fake, S);
	cr_expect_eq(fake->sent[0].replies, 2);
	ask_expect_done(a, CACHE_OK, 5 * MS);
	ask_expect_done(b, CACHE_NOT_FOUND, 5 * MS);
	ask_expect_done(c, CACHE_OK, 5 * MS); /* not before those that came earlier */
}

Test(remote_engine, a_stream_that_breaks_off_fails_all_that_is_under_way)
{
	struct fake_reply reply = ask_breaks_off;

	fake->is_stream = true;
	fake->settings.retries = 0;
	reply.delay_us = 5 * MS;
	fake_next(fake, 1, reply);
	struct ask *a = ask_get("a");
	fake_run(fake, MS);
	struct ask *b = ask_get("b");
	fake_run(fake, S);
	ask_expect_done(a, CACHE_UNAVAILABLE, 5 * MS);
	ask_expect_done(b, CACHE_UNAVAILABLE, 5 * MS);
	cr_expect_str_eq(b->op.detail, "broken off");
}
