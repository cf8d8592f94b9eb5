/* What is accepted of X-Request-Id, traceparent and tracestate, and the ids that are made. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/head.h"
#include "server/log/log_rate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TRACE_ID  "0af7651916cd43dd8448eb211c80319c"
#define PARENT_ID "b7ad6b7169203331"
#define PARENT    "00-" TRACE_ID "-" PARENT_ID "-01"

static struct trace trace;
static char made[MADE_ID_LEN + 1], trace_id[TRACE_ID_LEN + 1];

static void read_head(struct head *head)
{
	trace_deinit(&trace);
	trace = (struct trace){0};
	memset(made, 'x', sizeof(made));
	memset(trace_id, 'x', sizeof(trace_id));
	trace_check(head);
	trace = head->trace;
}

static void forget(void)
{
	trace_deinit(&trace);
}

TestSuite(trace, .fini = forget);

static void read_fields(const char *request_id, const char *parent, const char *state)
{
	struct head head = {
		.trace = {.sent = {.request_id = request_id, .traceparent = parent},
			  .request_ids = request_id != NULL,
			  .parents = parent != NULL,
			  .states = state != NULL},
		.count = state != NULL,
		.fields = {{.name = "TraceState", .value = state, .name_len = 10}},
	};

	read_head(&head);
}

/* ---- Request ids ---- */

Test(trace, sane_request_ids_are_taken)
{
	char longest[CACHE_REQUEST_ID_MAX_LEN + 1];
	const char *const ids[] = {
		"a",
		"7f0c2a52-6f5e-4f0e-9d1c-0c1ad5a0e2b7",
		"01ARZ3NDEKTSV4RRFFQ69G5FAV",
		"Root=1-67891233-abcdef012345678912345678",
		"aGVsbG8+d29ybGQ/==",
		"host:80/proc_1.2~3|4@5",
		longest,
	};

	memset(longest, 'z', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < COUNT(ids); i++) {
		read_fields(ids[i], NULL, NULL);
		cr_assert_not_null(trace.sent.request_id, "%s", ids[i]);
		cr_expect_str_eq(trace.sent.request_id, ids[i]);
		cr_expect_str_eq(trace_request_id(&trace, made), ids[i]);
	}
}

Test(trace, others_are_not)
{
	char too_long[CACHE_REQUEST_ID_MAX_LEN + 2];
	const char *const ids[] = {
		"",     " ",        "two words", "a\"b", "a\\b",     "a,b",   "a;b",
		"a'b",  "<script>", "${jndi}",   "\x7F", "\xC3\xA4", "a\xFF", "a\tb",
		"a\nb", "%0a",      "(x)",       "`x`",  too_long,
	};

	memset(too_long, 'z', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	for (size_t i = 0; i < COUNT(ids); i++) {
		read_fields(ids[i], NULL, NULL);
		cr_expect_null(trace.sent.request_id, "%s", ids[i]);
		cr_expect_eq(strlen(trace_request_id(&trace, made)), MADE_ID_LEN);
	}
}

Test(trace, an_id_that_came_twice_says_nothing)
{
	struct head head = {.trace = {.sent = {.request_id = "b"}, .request_ids = 2}};

	read_head(&head);
	cr_expect_null(trace.sent.request_id);
}

#define MADE_PER_THREAD 1000
#define MAKERS          8

static void *make_ids(void *target)
{
	char(*ids)[MADE_ID_LEN + 1] = target;

	for (size_t i = 0; i < MADE_PER_THREAD; i++) {
		struct trace own = {0};

		(void)trace_request_id(&own, ids[i]);
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

Test(trace, made_ids_are_unique)
{
	static char ids[MAKERS * MADE_PER_THREAD][MADE_ID_LEN + 1];
	pthread_t threads[MAKERS];

	for (size_t i = 0; i < MAKERS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, make_ids, ids[i * MADE_PER_THREAD]),
			     0);
	for (size_t i = 0; i < MAKERS; i++)
		(void)pthread_join(threads[i], NULL);
	qsort(ids, COUNT(ids), sizeof(ids[0]), compare);
	for (size_t i = 0; i < COUNT(ids); i++) {
		cr_assert_eq(strspn(ids[i], "0123456789abcdef"), MADE_ID_LEN, "%s", ids[i]);
		cr_assert(i == 0 || strcmp(ids[i - 1], ids[i]) != 0, "%s twice", ids[i]);
	}
}

Test(trace, an_id_stays_once_it_is_made)
{
	trace = (struct trace){0};
	const char *id = trace_request_id(&trace, made);
	cr_expect_eq(trace_request_id(&trace, made), id);
	cr_expect_eq(trace.sent.request_id, id);
}

/* ---- traceparent ---- */

Test(trace, well_formed_parents)
{
	static const struct {
		const char *came, *goes;
	} cases[] = {
		{PARENT, PARENT},
		{"00-" TRACE_ID "-" PARENT_ID "-00", "00-" TRACE_ID "-" PARENT_ID "-00"},
		{"00-" TRACE_ID "-" PARENT_ID "-ff", "00-" TRACE_ID "-" PARENT_ID "-ff"},
		/* A later version: the part that version 00 defines. */
		{"01-" TRACE_ID "-" PARENT_ID "-01", PARENT},
		{"cc-" TRACE_ID "-" PARENT_ID "-ff-what-the-future-brings", PARENT},
		{"fe-" TRACE_ID "-" PARENT_ID "-02", "00-" TRACE_ID "-" PARENT_ID "-00"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		read_fields(NULL, cases[i].came, NULL);
		cr_assert_not_null(trace.sent.traceparent, "%s", cases[i].came);
		cr_expect_str_eq(trace.sent.traceparent, cases[i].goes);
		cr_expect_str_eq(trace_id_of(&trace, trace_id), TRACE_ID);
	}
}

Test(trace, malformed_parents)
{
	static const char *const parents[] = {
		"",
		"00",
		"00-" TRACE_ID "-" PARENT_ID,
		"00-" TRACE_ID "-" PARENT_ID "-",
		"00-" TRACE_ID "-" PARENT_ID "-0",
		"00-" TRACE_ID "-" PARENT_ID "-011",
		"00-" TRACE_ID "-" PARENT_ID "-01-",
		"00-" TRACE_ID "-" PARENT_ID "-01-more",
		"00-" TRACE_ID "-" PARENT_ID "-01 ",
		"00-" TRACE_ID "-" PARENT_ID "-0G",
		"01-" TRACE_ID "-" PARENT_ID "-01more",
		"ff-" TRACE_ID "-" PARENT_ID "-01",
		"0-0" TRACE_ID "-" PARENT_ID "-01",
		"0G-" TRACE_ID "-" PARENT_ID "-01",
		"00_" TRACE_ID "-" PARENT_ID "-01",
		"00-" TRACE_ID "_" PARENT_ID "-01",
		"00-" TRACE_ID "-" PARENT_ID "_01",
		"00-0AF7651916CD43DD8448EB211C80319C-" PARENT_ID "-01",
		"00-" TRACE_ID "-B7AD6B7169203331-01",
		"00-00000000000000000000000000000000-" PARENT_ID "-01",
		"00-" TRACE_ID "-0000000000000000-01",
		" 00-" TRACE_ID "-" PARENT_ID "-01",
	};

	for (size_t i = 0; i < COUNT(parents); i++) {
		read_fields(NULL, parents[i], "a=1");
		cr_expect_null(trace.sent.traceparent, "%s", parents[i]);
		cr_expect_null(trace.sent.tracestate, "a state without its parent: %s", parents[i]);
		cr_expect_null(trace_id_of(&trace, trace_id));
	}
}

Test(trace, two_parents_are_none)
{
	struct head head = {.trace = {.sent = {.traceparent = PARENT}, .parents = 2}};

	read_head(&head);
	cr_expect_null(trace.sent.traceparent);
}

/* ---- tracestate ---- */

static void expect_state(const char *came, const char *goes)
{
	read_fields(NULL, PARENT, came);
	cr_assert_not_null(trace.sent.traceparent, "a bad state spoils no parent: %s", came);
	if (goes)
		cr_expect(trace.sent.tracestate && strcmp(trace.sent.tracestate, goes) == 0,
			  "%s: %s", came, trace.sent.tracestate ? trace.sent.tracestate : "none");
	else
		cr_expect_null(trace.sent.tracestate, "%s: %s", came, trace.sent.tracestate);
}

Test(trace, states)
{
	expect_state("rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7");
	expect_state(" a=1 ,\tb=2,", "a=1,b=2");
	expect_state("t61@sys=a b;c:d,x_-*/=!", "t61@sys=a b;c:d,x_-*/=!");
	expect_state("", NULL);
	expect_state(",,", NULL);
	expect_state("a", NULL);
	expect_state("a=", NULL);
	expect_state("=1", NULL);
	expect_state("A=1", NULL);
	expect_state("a=1=2", NULL);
	expect_state("a=1,b=\xC3\xA4", NULL);
	expect_state("a=1,b=\x7F", NULL);
}

Test(trace, a_long_state_loses_its_last_members)
{
	static char state[2000], kept[CACHE_TRACESTATE_MAX_LEN + 1];
	size_t len = 0;

	for (int i = 0; i < 60; i++)
		len += (size_t)sprintf(state + len, "%skey%02d=value67890", i > 0 ? "," : "", i);
	memcpy(kept, state, CACHE_TRACESTATE_MAX_LEN + 1);
	kept[CACHE_TRACESTATE_MAX_LEN] = '\0';
	if (state[CACHE_TRACESTATE_MAX_LEN] != ',')
		*strrchr(kept, ',') = '\0';
	expect_state(state, kept);
}

Test(trace, states_of_several_headers_are_one)
{
	struct head head = {
		.trace = {.sent = {.traceparent = PARENT}, .parents = 1, .states = 2},
		.count = 3,
		.fields = {{.name = "tracestate", .value = "a=1", .name_len = 10},
			   {.name = "user-agent", .value = "c=3", .name_len = 10},
			   {.name = "TRACESTATE", .value = "b=2", .name_len = 10}},
	};

	read_head(&head);
	cr_expect_str_eq(trace.sent.tracestate, "a=1,b=2");
	/* One of them is beyond the fields that are kept. */
	head.trace = (struct trace){.sent = {.traceparent = PARENT}, .parents = 1, .states = 3};
	read_head(&head);
	cr_expect_null(trace.sent.tracestate);
}

/* ---- The bound on lines ---- */

#define SECOND INT64_C(1000000000)

Test(log_rate, so_many_lines_a_second)
{
	struct log_rate rate = {0};

	for (int64_t second = 1; second < 4; second++) {
		for (int i = 0; i < 25; i++)
			cr_expect_eq(log_rate_take(&rate, second * SECOND + i), i < 10);
		cr_expect_eq(log_rate_left_out(&rate, second * SECOND + 30), 0, "it goes on");
		cr_expect_eq(log_rate_left_out(&rate, (second + 1) * SECOND), 15);
		cr_expect_eq(log_rate_left_out(&rate, (second + 1) * SECOND), 0, "told twice");
	}
	/* Its clock was read a moment before the second began. */
	cr_expect(log_rate_take(&rate, 9 * SECOND));
	for (int i = 0; i < 25; i++)
		cr_expect_eq(log_rate_take(&rate, 9 * SECOND - 1), i < 9);
}

static struct log_rate shared_rate;
static _Atomic unsigned taken;

static void *take_many(void *arg)
{
	(void)arg;
	for (int64_t i = 0; i < 10000; i++)
		if (log_rate_take(&shared_rate, SECOND + i / 1000 * SECOND))
			taken++;
	return NULL;
}

Test(log_rate, no_more_with_many_threads)
{
	pthread_t threads[8];
	uint64_t left_out;

	for (size_t i = 0; i < COUNT(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_many, NULL), 0);
	for (size_t i = 0; i < COUNT(threads); i++)
		(void)pthread_join(threads[i], NULL);
	cr_expect_leq(taken, 100);
	cr_expect_geq(taken, 10);
	left_out = log_rate_left_out(&shared_rate, INT64_MAX);
	cr_expect_eq(taken + left_out, 8 * 10000);
}
