/* /cache/{ns}/{key} without a socket: headers of a hit, ranges, and what a PUT accepts. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TAG_ABC  "\"ba7816bf8f01cfea414140de5dae2223\"" /* of "abc" */
#define STORED_S INT64_C(784111777)                     /* Sun, 06 Nov 1994 08:49:37 GMT */

static struct fake_request fake;

static void open_fake(void)
{
	fake_request_init(&fake);
	fake.request.ns = SLICE("n");
	fake.request.key = SLICE("k");
	fake_now_us = STORED_S * US_PER_S;
}

static void close_fake(void)
{
	fake_request_close(&fake);
}

static void expect_response_header(const char *name, const char *expected)
{
	const char *value = fake_response_header(&fake, name);

	cr_expect_str_eq(value ? value : "(none)", expected ? expected : "(none)", "%s: %s", name,
			 value ? value : "(none)");
}

/* ---- GET, HEAD ---- */

TestSuite(entry_get, .init = open_fake, .fini = close_fake);

/* "abc", stored at `modified_us`. */
static void hit_of(int64_t modified_us, int64_t expires_at_us)
{
	cr_assert_eq(fake_request_start(&fake, &handler_entry_get), STEP_SUBMIT);
	cr_assert(slice_equal(held_op->one.key, SLICE("k")));
	held_op->one.value = cache_value_copy(SLICE("abc"), SLICE("text/css"));
	held_op->one.value->modified_at_us = modified_us;
	held_op->one.value->expires_at_us = expires_at_us;
	fake_request_finish(&fake, CACHE_OK);
}

/* "abc", stored at STORED_S and some microseconds. */
static void hit(int64_t expires_at_us)
{
	hit_of(STORED_S * US_PER_S + 500000, expires_at_us);
}

Test(entry_get, a_hit_has_its_headers)
{
	fake_now_us += 7 * US_PER_S;
	hit(0);
	cr_expect_eq(fake.response.status, 200);
	cr_expect(slice_equal(fake_response_body(&fake), SLICE("abc")));
	expect_response_header("ETag", TAG_ABC);
	expect_response_header("Last-Modified", "Sun, 06 Nov 1994 08:49:38 GMT");
	expect_response_header("Age", "6");
	expect_response_header("Content-Type", "text/css");
	expect_response_header("Accept-Ranges", "bytes");
	expect_response_header("Cache-Status", "steadycache; hit");
	expect_response_header("Cache-Control", "no-cache");
	cr_expect_not(fake.response.is_json, "?pretty never touches a value");
}

Test(entry_get, last_modified_is_never_later_than_the_answer)
{
	fake_now_us -= 3600 * US_PER_S;
	hit(0);
	expect_response_header("Last-Modified", "Sun, 06 Nov 1994 07:49:37 GMT");
	expect_response_header("Age", "0");
}

Test(entry_get, an_unknown_modification_is_not_told)
{
	hit_of(0, fake_now_us + 40 * US_PER_S);
	expect_response_header("Last-Modified", NULL);
	expect_response_header("Age", "0");
	expect_response_header("Cache-Control", "max-age=40");
}

/* What a cache computes from the headers: max-age minus Age. */
static int64_t seconds_left_for_caches(void)
{
	const char *control = fake_response_header(&fake, "Cache-Control");

	cr_assert(control && strncmp(control, "max-age=", 8) == 0, "%s", control);
	return atoll(control + 8) - atoll(fake_response_header(&fake, "Age"));
}

Test(entry_get, max_age_is_the_whole_lifetime)
{
	const int64_t modified_us = STORED_S * US_PER_S + 500000;

	for (int64_t passed_us = 0; passed_us < 40 * US_PER_S; passed_us += 750000) {
		open_fake();
		fake_now_us = modified_us + passed_us;
		hit(modified_us + 40 * US_PER_S);
		expect_response_header("Cache-Control", "max-age=40");
		int64_t left_s = seconds_left_for_caches();
		int64_t left_us = 40 * US_PER_S - passed_us;
		cr_expect(left_s * US_PER_S >= left_us && left_s * US_PER_S < left_us + US_PER_S,
			  "%lld s for %lld us", (long long)left_s, (long long)left_us);
		fake_request_close(&fake);
	}
}

Test(entry_get, what_is_left_is_right_whatever_the_clocks_say)
{
	static const struct {
		int64_t since_us, left_us; /* the modification, before now; the expiry, from now */
	} cases[] = {
		{0, 40 * US_PER_S},
		{100 * US_PER_S, 1},
		{-100 * US_PER_S, 40 * US_PER_S}, /* set back */
		{-100 * US_PER_S, 200 * US_PER_S},
		{STORED_S * US_PER_S, 40 * US_PER_S},    /* not known */
		{STORED_S * US_PER_S + 9 * US_PER_S, 3}, /* before 1970 */
		{12345678, TTL_MAX_S * US_PER_S},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		open_fake();
		hit_of(fake_now_us - cases[i].since_us, fake_now_us + cases[i].left_us);
		int64_t over_us = seconds_left_for_caches() * US_PER_S - cases[i].left_us;
		cr_expect(over_us >= 0 && over_us < 2 * US_PER_S, "case %zu: %lld us too many", i,
			  (long long)over_us);
		fake_request_close(&fake);
	}
}

Test(entry_get, time_left_is_rounded_up_and_never_negative)
{
	static const struct {
		int64_t left_us;
		const char *status;
	} cases[] = {
		{5 * US_PER_S, "steadycache; hit; ttl=5"},
		{5 * US_PER_S - 1, "steadycache; hit; ttl=5"},
		{4 * US_PER_S, "steadycache; hit; ttl=4"},
		{1, "steadycache; hit; ttl=1"},
		{0, "steadycache; hit; ttl=0"},
		{-1, "steadycache; hit; ttl=0"},
		{TTL_MAX_S * US_PER_S, "steadycache; hit; ttl=3153600000"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		open_fake();
		fake_now_us += 100 * US_PER_S;
		hit(fake_now_us + cases[i].left_us);
		if (cases[i].left_us <= 0)
			expect_response_header("Cache-Control", "max-age=0");
		expect_response_header("Cache-Status", cases[i].status);
		fake_request_close(&fake);
	}
}

/* A hit that expired that long ago. */
static void stale_hit(int64_t since_us)
{
	cr_assert_eq(fake_request_start(&fake, &handler_entry_get), STEP_SUBMIT);
	cr_assert(held_op->serve_stale);
	held_op->one.value = cache_value_copy(SLICE("abc"), SLICE("text/css"));
	held_op->one.value->modified_at_us = fake_now_us - since_us - 10 * US_PER_S;
	held_op->one.value->expires_at_us = fake_now_us - since_us;
	held_op->one.stale = true;
	fake_request_finish(&fake, CACHE_OK);
}

Test(entry_get, what_is_stale_says_since_when)
{
	static const struct {
		int64_t since_us;
		const char *age, *status;
	} cases[] = {
		{0, "10", "steadycache; hit; fwd=stale; ttl=-1"},
		{1, "10", "steadycache; hit; fwd=stale; ttl=-1"},
		{US_PER_S, "11", "steadycache; hit; fwd=stale; ttl=-1"},
		{US_PER_S + 1, "11", "steadycache; hit; fwd=stale; ttl=-2"},
		{412 * US_PER_S, "422", "steadycache; hit; fwd=stale; ttl=-412"},
		{TTL_MAX_S * US_PER_S, "3153600010",
		 "steadycache; hit; fwd=stale; ttl=-3153600000"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		open_fake();
		stale_hit(cases[i].since_us);
		cr_expect_eq(fake.response.status, 200);
		cr_expect(slice_equal(fake_response_body(&fake), SLICE("abc")));
		expect_response_header("ETag", TAG_ABC);
		expect_response_header("Cache-Control", "max-age=0");
		expect_response_header("Cache-Status", cases[i].status);
		expect_response_header("Age", cases[i].age);
		fake_request_close(&fake);
	}
}

Test(entry_get, what_is_stale_answers_conditions_and_ranges)
{
	fake_request_header(&fake, "If-None-Match", TAG_ABC);
	stale_hit(5 * US_PER_S);
	cr_expect_eq(fake.response.status, 304);
	expect_response_header("Cache-Status", "steadycache; hit; fwd=stale; ttl=-5");
	fake_request_close(&fake);
	open_fake();
	fake_request_header(&fake, "If-Match", "\"00000000000000000000000000000000\"");
	stale_hit(5 * US_PER_S);
	cr_expect_eq(fake.response.status, 412);
	fake_request_close(&fake);
	open_fake();
	fake_request_header(&fake, "Range", "bytes=1-");
	stale_hit(5 * US_PER_S);
	cr_expect_eq(fake.response.status, 206);
	expect_response_header("Cache-Control", "max-age=0");
}

Test(entry_get, head_asks_for_what_is_stale_too)
{
	fake.request.method = HTTP_HEAD;
	stale_hit(5 * US_PER_S);
	cr_expect(held_op == NULL || held_op->no_touch);
	cr_expect_eq(fake.response.status, 200);
	expect_response_header("Cache-Status", "steadycache; hit; fwd=stale; ttl=-5");
}

Test(entry_get, a_clock_that_went_back_makes_no_negative_age)
{
	fake_now_us -= 100 * US_PER_S;
	hit(0);
	expect_response_header("Age", "0");
}

Test(entry_get, a_miss_says_so)
{
	(void)fake_request_start(&fake, &handler_entry_get);
	fake_request_finish(&fake, CACHE_NOT_FOUND);
	cr_expect_eq(fake.response.status, 404);
	expect_response_header("Cache-Status", "steadycache; fwd=miss");
	expect_response_header("Cache-Control", "no-store");
	expect_response_header("ETag", NULL);
}

Test(entry_get, a_failure_is_no_miss)
{
	(void)fake_request_start(&fake, &handler_entry_get);
	fake_request_finish(&fake, CACHE_UNAVAILABLE);
	cr_expect_eq(fake.response.status, 503);
	expect_response_header("Cache-Status", NULL);
}

Test(entry_get, only_head_is_no_use)
{
	(void)fake_request_start(&fake, &handler_entry_get);
	cr_expect_not(held_op->no_touch);
	fake_request_close(&fake);
	open_fake();
	fake.request.method = HTTP_HEAD;
	(void)fake_request_start(&fake, &handler_entry_get);
	cr_expect(held_op->no_touch);
}

Test(entry_get, not_modified_tells_the_length_of_the_value_alone)
{
	fake_request_header(&fake, "If-None-Match", TAG_ABC);
	hit(0);
	cr_expect_eq(fake.response.status, 304);
	expect_response_header("Cache-Control", "no-cache");
	cr_expect_eq(fake_response_body(&fake).len, 3, "sent by nobody, but counted");
	expect_response_header("ETag", TAG_ABC);
	expect_response_header("Content-Type", NULL);
}

static size_t count_headers(const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < fake.response.header_count; i++)
		count += strcmp(fake.response.headers[i].name, name) == 0;
	return count;
}

Test(entry_get, another_version_is_a_failed_precondition)
{
	fake_request_header(&fake, "If-Match", "\"other\"");
	hit(fake_now_us + US_PER_S);
	cr_expect_eq(fake.response.status, 412);
	expect_response_header("Content-Type", "application/problem+json");
	expect_response_header("Cache-Control", "no-store");
	cr_expect_eq(count_headers("Cache-Control"), 1);
}

Test(entry_get, a_part_is_cut_from_the_value)
{
	fake_request_header(&fake, "Range", "bytes=1-");
	hit(0);
	cr_expect_eq(fake.response.status, 206);
	expect_response_header("Content-Range", "bytes 1-2/3");
	expect_response_header("Content-Type", "text/css");
	cr_expect(slice_equal(fake_response_body(&fake), SLICE("bc")));
}

Test(entry_get, a_range_beyond_the_value_is_a_problem_document_of_one_type)
{
	fake_request_header(&fake, "Range", "bytes=3-");
	hit(fake_now_us + 1);
	cr_expect_eq(fake.response.status, 416);
	expect_response_header("Content-Range", "bytes */3");
	expect_response_header("Content-Type", "application/problem+json");
	cr_expect_eq(count_headers("Content-Type"), 1);
	expect_response_header("Cache-Control", "no-store");
	cr_expect_eq(count_headers("Cache-Control"), 1);
}

Test(entry_get, a_key_at_the_limit_passes_and_one_beyond_is_414)
{
	char key[101];

	memset(key, 'k', sizeof(key));
	fake.request.key = (struct slice){.data = key, .len = 101};
	cr_expect_eq(fake_request_start(&fake, &handler_entry_get), STEP_RESPOND);
	cr_expect_eq(fake.response.status, 414);
	fake_request_close(&fake);
	open_fake();
	fake.request.key = (struct slice){.data = key, .len = 100};
	cr_expect_eq(fake_request_start(&fake, &handler_entry_get), STEP_SUBMIT);
	cr_expect_eq(held_op->one.key.len, 100);
	/* The key is gone before the test's clean-up runs. */
	fake_request_close(&fake);
}

/* ---- PUT ---- */

static void open_put(void)
{
	open_fake();
	fake.request.method = HTTP_PUT;
	fake_request_body(&fake, SLICE("abc"), "text/css");
}

TestSuite(entry_put, .init = open_put, .fini = close_fake);

Test(entry_put, hands_the_sealed_body_over_without_a_copy)
{
	const struct cache_value *body = fake.request.body;

	cr_assert_eq(fake_request_start(&fake, &handler_entry_put), STEP_SUBMIT);
	cr_expect_eq(held_op->one.value, body);
	cr_expect_null(fake.request.body);
	cr_expect(body->flags & CACHE_VALUE_UTF8);
	cr_expect_eq(held_op->one.ttl_s, TTL_DEFAULT);
	cr_expect_eq(held_op->one.condition.kind, CONDITION_NONE);
	held_op->one.created = true;
	fake_request_finish(&fake, CACHE_OK);
	cr_expect_eq(fake.response.status, 201);
	expect_response_header("ETag", TAG_ABC);
	cr_expect_eq(fake.response.body, BODY_NONE);
}

Test(entry_put, without_a_body_stores_an_empty_value_of_the_type)
{
	fake_request_close(&fake);
	open_fake();
	fake_request_header(&fake, "Content-Type", "text/css");
	cr_assert_eq(fake_request_start(&fake, &handler_entry_put), STEP_SUBMIT);
	cr_expect_eq(held_op->one.value->len_bytes, 0);
	cr_expect_str_eq(cache_value_content_type(held_op->one.value), "text/css");
}

Test(entry_put, ttl_is_a_whole_number_of_seconds)
{
	static const struct {
		const char *ttl;
		int64_t ttl_s; /* -2: refused */
	} cases[] = {
		{"0", 0},           {"60", 60}, {"0060", 60}, {"3153600000", TTL_MAX_S},
		{"3153600001", -2}, {"", -2},   {"-1", -2},   {"1.0", -2},
		{"1s", -2},         {" 1", -2}, {"+1", -2},   {"99999999999999999999999999", -2},
		{"0x1", -2},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_query(&fake, "ttl", cases[i].ttl);
		enum handler_step step = fake_request_start(&fake, &handler_entry_put);
		cr_expect_eq(step, cases[i].ttl_s == -2 ? STEP_RESPOND : STEP_SUBMIT, "%s",
			     cases[i].ttl);
		if (step == STEP_SUBMIT)
			cr_expect_eq(held_op->one.ttl_s, cases[i].ttl_s, "%s", cases[i].ttl);
		else
			cr_expect_eq(fake.response.status, 400, "%s", cases[i].ttl);
		fake_request_close(&fake);
		open_put();
	}
}

Test(entry_put, refuses_what_would_not_come_back_as_it_came)
{
	char type[CONTENT_TYPE_MAX_LEN + 2];

	memset(type, 't', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	const struct {
		const char *name, *value;
		unsigned status; /* 0: continues */
	} cases[] = {
		{"Content-Encoding", "gzip", 0},
		{"Content-Encoding", "identity", 0},
		{"Content-Encoding", "Identity", 0},
		{"Content-Encoding", "", 0},
		{"Content-Range", "bytes 0-1/2", 400},
		{"Content-Type", type, 400},
		{"Content-Type", type + 1, 0},
		{"Content-Type", "a\tb", 0},
		{"Content-Type", "a\x7F", 400},
		{"Content-Type", "text/x; n=\xC3\xA4", 400},
		{"If-Match", "abc", 400},
		{"If-None-Match", "\"abc", 400},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_header(&fake, cases[i].name, cases[i].value);
		enum handler_step step = fake_request_start(&fake, &handler_entry_put);
		cr_expect_eq(step, cases[i].status ? STEP_RESPOND : STEP_SUBMIT, "case %zu", i);
		if (cases[i].status)
			cr_expect_eq(fake.response.status, cases[i].status, "case %zu", i);
		fake_request_close(&fake);
		open_put();
	}
}

Test(entry_put, conditions_reach_the_store_of_writes_and_deletes)
{
	static const struct handler *const handlers[] = {&handler_entry_put, &handler_entry_delete};
	struct etag abc = etag_of(SLICE("abc"));

	for (size_t i = 0; i < COUNT(handlers); i++) {
		fake_request_header(&fake, "If-Match", "\"x\", " TAG_ABC);
		cr_assert_eq(fake_request_start(&fake, handlers[i]), STEP_SUBMIT);
		cr_expect_eq(held_op->one.condition.kind, CONDITION_MATCH);
		cr_assert_eq(held_op->one.condition.etag_count, 1);
		cr_expect(etag_equal(&held_op->one.condition.etags[0], &abc));
		fake_request_finish(&fake, CACHE_PRECONDITION_FAILED);
		cr_expect_eq(fake.response.status, 412);
		fake_request_close(&fake);
		open_put();
	}
}
