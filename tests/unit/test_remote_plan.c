/* Which operations share a request, which must not, and which wait: the plan and locks of remote
 * backends. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/remote/plan.h"

#define TIMEOUT_US INT64_C(1000000)
#define OPS_MAX    64

static struct remote_plan plan;
static struct cache_op ops[OPS_MAX];
static char keys[OPS_MAX][16];
static size_t op_count;
static int64_t now_us = 1000000;
static unsigned done;
static struct cache_value *value;

static void count_done(struct cache_op *op)
{
	(void)op;
	done++;
}

static void open_plan(void)
{
	remote_plan_init(&plan,
			 &(struct remote_plan_limits){.items = 10, .ops = 1000, .bytes = 4 << 20});
	value = cache_value_copy(SLICE("v"), SLICE(CONTENT_TYPE_TEXT));
	op_count = 0;
	done = 0;
}

static void close_plan(void)
{
	struct remote_job *job;

	while ((job = remote_plan_pop(&plan))) {
		remote_job_fail(job, CACHE_UNAVAILABLE, NULL, 0);
		remote_job_free(job);
	}
	remote_plan_deinit(&plan);
	for (size_t i = 0; i < op_count; i++)
		cache_op_deinit(&ops[i]);
	cache_value_release(value);
}

TestSuite(remote_plan, .init = open_plan, .fini = close_plan, .timeout = 20);

static struct cache_op *add(enum cache_op_type type, const char *ns, const char *key)
{
	struct cache_op *op = &ops[op_count];

	(void)snprintf(keys[op_count], sizeof(keys[0]), "%s", key);
	cache_op_init(op, type);
	op->ns = slice_of(ns);
	op->one.key = slice_of(keys[op_count]);
	op->one.value = type == CACHE_OP_SET ? value : NULL;
	op->done = count_done;
	op->limit = 1;
	op_count++;
	remote_plan_add(&plan, remote_job_create(op, now_us, TIMEOUT_US));
	return op;
}

static bool joins_all(const struct remote_call *call, const struct remote_job *job)
{
	(void)call;
	(void)job;
	return true;
}

static struct remote_call *form(void)
{
	return remote_plan_form_call(&plan, joins_all);
}

static void end(struct remote_call *call)
{
	for (struct remote_job *job = call->jobs.first; job; job = job->next)
		remote_job_fail(job, CACHE_UNAVAILABLE, NULL, 0);
	remote_plan_release(&plan, call);
	remote_call_free(call);
}

static size_t form_and_count(void)
{
	struct remote_call *call = form();
	size_t count = call ? call->jobs.count : 0;

	if (call)
		end(call);
	return count;
}

Test(remote_plan, an_idle_upstream_is_asked_at_once)
{
	int64_t when_us;

	cr_expect_not(remote_plan_is_due(&plan, 0, 4, now_us, &when_us));
	cr_expect_eq(when_us, INT64_MAX);
	(void)add(CACHE_OP_GET, "n", "a");
	cr_expect(remote_plan_is_due(&plan, 0, 4, now_us, &when_us));
}

Test(remote_plan, a_busy_one_after_the_window_or_with_a_full_request)
{
	int64_t when_us;

	(void)add(CACHE_OP_GET, "n", "a");
	cr_expect_not(remote_plan_is_due(&plan, 1, 4, now_us, &when_us));
	cr_expect_eq(when_us, now_us + MERGE_WINDOW_US);
	cr_expect(remote_plan_is_due(&plan, 1, 4, now_us + MERGE_WINDOW_US, &when_us));
	cr_expect_not(remote_plan_is_due(&plan, 4, 4, now_us + TIMEOUT_US, &when_us),
		      "all are busy");
	for (int i = 0; i < 9; i++) {
		char key[4] = {(char)('b' + i), '\0'};

		(void)add(CACHE_OP_GET, "n", key);
	}
	cr_expect(remote_plan_is_due(&plan, 1, 4, now_us, &when_us), "ten are enough");
}

Test(remote_plan, a_request_takes_so_many_and_no_more)
{
	for (int i = 0; i < 25; i++) {
		char key[4] = {(char)('a' + i), '\0'};

		(void)add(i % 2 ? CACHE_OP_SET : CACHE_OP_GET, "n", key);
	}
	cr_expect_eq(form_and_count(), 10);
	cr_expect_eq(form_and_count(), 10);
	cr_expect_eq(form_and_count(), 5);
	cr_expect_eq(form_and_count(), 0);
	cr_expect_eq(plan.merged, 22);
	cr_expect_eq(done, 25);
	cr_expect_eq(plan.waiting_items, 0);
}

Test(remote_plan, equal_gets_are_one)
{
	for (int i = 0; i < 5; i++)
		(void)add(CACHE_OP_GET, "n", "a");
	(void)add(CACHE_OP_GET, "other", "a");
	(void)add(CACHE_OP_EXISTS, "n", "b");
	struct cache_op *head = add(CACHE_OP_GET, "n", "c");
	head->no_touch = true;
	cr_expect_eq(plan.waiting.count, 4);
	struct remote_call *call = form();
	struct remote_job *job = call->jobs.first;
	cr_expect_eq(call->jobs.count, 4);
	job->op->one.status = CACHE_OK;
	job->op->one.value = cache_value_acquire(value);
	remote_job_succeed(job);
	cr_expect_eq(done, 5);
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(ops[i].status, CACHE_OK);
		cr_expect_eq(ops[i].one.value, value);
	}
	end(call);
}

Test(remote_plan, a_get_does_not_join_one_that_was_sent)
{
	(void)add(CACHE_OP_GET, "n", "a");
	struct remote_call *sent = form();
	(void)add(CACHE_OP_GET, "n", "a");
	(void)add(CACHE_OP_GET, "n", "a");
	cr_expect_eq(plan.waiting.count, 1);
	cr_expect_null(form(), "it waits until that is back");
	(void)add(CACHE_OP_GET, "n", "b");
	cr_expect_eq(form_and_count(), 1, "others do not");
	end(sent);
	cr_expect_eq(form_and_count(), 1);
	cr_expect_eq(done, 4);
}

Test(remote_plan, writes_of_a_key_go_one_after_the_other)
{
	(void)add(CACHE_OP_SET, "n", "a");
	(void)add(CACHE_OP_SET, "n", "a");
	(void)add(CACHE_OP_DELETE, "n", "a");
	(void)add(CACHE_OP_SET, "n", "b");
	(void)add(CACHE_OP_SET, "other", "a");
	struct remote_call *first = form();
	cr_expect_eq(first->jobs.count, 3);
	cr_expect_eq(first->jobs.first->op, &ops[0]);
	cr_expect_null(form());
	(void)add(CACHE_OP_GET, "n", "a");
	cr_expect_eq(form_and_count(), 1, "reads do not wait");
	end(first);
	struct remote_call *second = form();
	cr_expect_eq(second->jobs.first->op, &ops[1]);
	cr_expect_eq(second->jobs.count, 1);
	end(second);
	struct remote_call *third = form();
	cr_expect_eq(third->jobs.first->op, &ops[2]);
	end(third);
}

Test(remote_plan, a_write_of_a_whole_namespace_waits_and_is_waited_for)
{
	(void)add(CACHE_OP_SET, "n", "a");
	struct remote_call *set = form();
	(void)add(CACHE_OP_CLEAR, "n", "");
	(void)add(CACHE_OP_SET, "n", "b");
	(void)add(CACHE_OP_SET, "other", "b");
	struct remote_call *other = form();
	cr_expect_eq(other->jobs.count, 1, "only the other namespace");
	end(set);
	end(other);
	struct remote_call *clear = form();
	cr_expect_eq(clear->jobs.count, 1);
	cr_expect_eq(clear->jobs.first->op, &ops[1]);
	cr_expect_null(form());
	end(clear);
	cr_expect_eq(form_and_count(), 1);
}

Test(remote_plan, conditional_writes_go_apart)
{
	(void)add(CACHE_OP_SET, "n", "a");
	struct cache_op *op = &ops[op_count++];
	cache_op_init(op, CACHE_OP_SET);
	op->ns = SLICE("n");
	op->one.key = SLICE("b");
	op->one.value = value;
	op->one.condition.kind = CONDITION_ABSENT;
	op->done = count_done;
	remote_plan_add(&plan, remote_job_create(op, now_us, TIMEOUT_US));
	(void)add(CACHE_OP_SET, "n", "c");
	struct remote_call *call = form();
	cr_expect_eq(call->jobs.count, 2);
	cr_expect(call->is_idempotent);
	end(call);
	call = form();
	cr_expect_eq(call->jobs.count, 1);
	cr_expect_not(call->is_idempotent);
	end(call);
}

Test(remote_plan, what_waits_too_long_is_completed)
{
	uint64_t expired = 0;

	(void)add(CACHE_OP_GET, "n", "a");
	(void)add(CACHE_OP_GET, "n", "a");
	(void)add(CACHE_OP_SET, "n", "b");
	cr_expect_eq(remote_plan_expire(&plan, now_us, "late", &expired),
		     plan.waiting.first->deadline_us);
	cr_expect_eq(expired, 0);
	(void)remote_plan_expire(&plan, now_us + 2 * TIMEOUT_US, "late", &expired);
	cr_expect_eq(expired, 3);
	cr_expect_eq(done, 3);
	cr_expect_eq(ops[0].status, CACHE_TIMEOUT);
	cr_expect_str_eq(ops[0].detail, "late");
	cr_expect_null(plan.waiting.first);
	cr_expect_eq(plan.waiting_items, 0);
}

Test(remote_plan, a_twin_outlives_the_one_it_joined)
{
	uint64_t expired = 0;

	(void)add(CACHE_OP_GET, "n", "a");
	(void)add(CACHE_OP_GET, "n", "a");
	plan.waiting.first->deadline_us -= TIMEOUT_US;
	plan.next_limit_us = 0;
	(void)remote_plan_expire(&plan, now_us, "late", &expired);
	cr_expect_eq(expired, 1);
	cr_expect_eq(ops[0].status, CACHE_TIMEOUT);
	cr_expect_eq(plan.waiting.first->op, &ops[1]);
}

Test(remote_plan, put_back_comes_first_again)
{
	(void)add(CACHE_OP_SET, "n", "a");
	(void)add(CACHE_OP_SET, "n", "b");
	struct remote_call *call = form();
	(void)add(CACHE_OP_SET, "n", "c");
	remote_plan_put_back(&plan, call);
	cr_expect_eq(plan.waiting.first->op, &ops[0]);
	cr_expect_eq(plan.waiting_items, 3);
	cr_expect_eq(form_and_count(), 3);
}
