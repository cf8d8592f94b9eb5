/* Calls of several requests at once, and signed requests, in virtual time. */
#include <criterion/criterion.h>

#include "tests/support/asks.h"

static void open_parts(void)
{
	ask_open(FAKE_PARTS);
}

TestSuite(remote_calls, .init = open_parts, .fini = ask_close, .timeout = 60);

Test(remote_calls, parts_are_sent_as_far_as_there_are_slots)
{
	fake_always(fake, ask_serves_after(10 * MS));
	struct ask *all = ask_batch(CACHE_OP_SET, 5);
	fake_run(fake, MS);
	struct ask *one = ask_get("z");
	fake_run(fake, S);
	ask_expect_sent(0, 0, "set n a a\n");
	ask_expect_sent(1, 0, "set n b b\n");
	/* A free slot first serves a call that has none. */
	ask_expect_sent(2, 10 * MS, "get n z \n");
	ask_expect_sent(3, 10 * MS, "set n c c\n");
	ask_expect_done(one, CACHE_NOT_FOUND, 20 * MS);
	ask_expect_sent(4, 20 * MS, "set n d d\n");
	ask_expect_sent(5, 20 * MS, "set n e e\n");
	ask_expect_done(all, CACHE_OK, 30 * MS);
	cr_expect_eq(fake->under_way_max, 2);
	cr_expect_eq(fake->sent_count, 6);
	cr_expect(fake_is_idle(fake));
	struct ask *back = ask_batch(CACHE_OP_GET, 6);
	fake_run(fake, S);
	cr_expect_eq(back->op.status, CACHE_OK);
	for (size_t i = 0; i < 6; i++)
		cr_expect_eq(back->op.items[i].status, i < 5 ? CACHE_OK : CACHE_NOT_FOUND);
}

Test(remote_calls, each_part_has_its_own_tries)
{
	uint64_t random = fake->engine.random;

	fake->settings.max_in_flight = 8;
	fake_next(fake, 1, ask_serves_after(MS));
	fake_next(fake, 1, ask_breaks_off);
	fake_next(fake, 1, ask_serves_after(2 * MS));
	struct ask *all = ask_batch(CACHE_OP_SET, 3);
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, 4);
	int64_t again_us = ask_backoff_us(&random, 1);
	ask_expect_sent(3, again_us, "set n b b\n");
	ask_expect_done(all, CACHE_OK, again_us > 2 * MS ? again_us : 2 * MS);
	cr_expect(fake_is_idle(fake));
}

Test(remote_calls, a_part_that_fails_fails_the_op_and_keeps_the_locks)
{
	fake->settings.max_in_flight = 8;
	fake_next(fake, 1, ask_serves_after(50 * MS));
	fake_next(fake, 1, (struct fake_reply){.what = FAKE_ANSWERS, .status = 413});
	fake_next(fake, 1, ask_serves_after(20 * MS));
	struct ask *all = ask_batch(CACHE_OP_SET, 3);
	fake_run(fake, MS);
	ask_expect_done(all, CACHE_TOO_LARGE, 0);
	(void)ask_set("b", "2");
	fake_run(fake, S);
	ask_expect_sent(3, 50 * MS, "set n b 2\n");
	cr_expect(fake_is_idle(fake));
}

Test(remote_calls, parts_not_yet_sent_are_not_sent_once_the_op_has_failed)
{
	fake->settings.max_in_flight = 1;
	fake_next(fake, 1, (struct fake_reply){.what = FAKE_ANSWERS, .status = 413});
	struct ask *all = ask_batch(CACHE_OP_SET, 3);
	fake_run(fake, S);
	ask_expect_done(all, CACHE_TOO_LARGE, 0);
	cr_expect_eq(fake->sent_count, 1);
	fake_always(fake, ask_hangs);
	all = ask_batch(CACHE_OP_SET, 3);
	fake_run(fake, 20 * S);
	ask_expect_done(all, CACHE_TIMEOUT, 11 * S);
	cr_expect_eq(fake->sent_count, 2);
	cr_expect(fake_is_idle(fake));
}

Test(remote_calls, parts_not_yet_sent_fail_when_the_breaker_opens)
{
	struct fake_reply reply = ask_refuses;

	reply.delay_us = 5 * MS;
	fake->engine.breaker.threshold = 1;
	fake_next(fake, 1, reply);
	fake_next(fake, 1, ask_serves_after(50 * MS));
	struct ask *one = ask_get("z");
	fake_run(fake, 0);
	struct ask *all = ask_batch(CACHE_OP_SET, 3);
	fake_run(fake, 10 * MS);
	ask_expect_sent(1, MERGE_WINDOW_US, "set n a a\n");
	ask_expect_done(one, CACHE_UNAVAILABLE, 5 * MS);
	ask_expect_done(all, CACHE_UNAVAILABLE, 5 * MS);
	cr_expect_eq(fake->sent_count, 2);
	cr_expect_not(fake_is_idle(fake), "the first part is still under way");
	fake_run(fake, S);
	cr_expect(fake_is_idle(fake));
}

Test(remote_calls, a_pause_holds_further_parts)
{
	fake_next(fake, 1,
		  (struct fake_reply){.what = FAKE_ANSWERS, .status = 429, .retry_after_s = 2});
	struct ask *all = ask_batch(CACHE_OP_SET, 3);
	fake_run(fake, S);
	cr_expect_eq(fake->sent_count, 2);
	fake_run(fake, 5 * S);
	ask_expect_done(all, CACHE_OK, 2 * S);
	cr_expect_eq(fake->sent_count, 4);
}

Test(remote_calls, requests_are_signed_after_they_are_written)
{
	fake_next(fake, 1, ask_breaks_off);
	struct ask *a = ask_set("a", "1");
	fake_run(fake, S);
	cr_expect_eq(a->op.status, CACHE_OK);
	cr_expect_eq(fake->sent_count, 2, "the retry is signed too");
	for (size_t i = 0; i < fake->sent_count; i++) {
		cr_expect_str_eq(fake->sent[i].method, "PUT");
		cr_expect_str_eq(fake->sent[i].headers,
				 "X-Part: first\nX-Signature: PUT /parts 10 X-Part: first\n");
	}
}

Test(remote_calls, what_cannot_be_signed_is_not_sent)
{
	fake->sign_refusal = "the key has expired";
	struct ask *a = ask_set("a", "1");
	struct ask *b = ask_batch(CACHE_OP_GET, 3);
	fake_run(fake, S);
	ask_expect_done(a, CACHE_UNAVAILABLE, 0);
	cr_expect_str_eq(a->op.detail, "the key has expired");
	ask_expect_done(b, CACHE_UNAVAILABLE, MERGE_WINDOW_US);
	cr_expect_eq(fake->sent_count, 0);
	cr_expect(fake_is_idle(fake));
	fake->sign_refusal = NULL;
	a = ask_set("a", "1");
	fake_run(fake, S);
	cr_expect_eq(a->op.status, CACHE_OK);
}
