/* stale_ttl: an expired entry may still be served for a while, and says so. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/server_process.h"

CONFORMANCE_SUITE(stale);

static bool is_stale(const struct http_answer *answer)
{
	const char *status = http_header(answer, "Cache-Status");

	return answer->status == 200 && status && strstr(status, "fwd=stale");
}

/* Puts k with a ttl of one second and waits until that is over. */
static void put_and_await_staleness(const char *value)
{
	expect_status(http_put(client, entry_path("k?ttl=1"), slice_of(value)), 201);
	cr_assert(await_condition(is_stale(http_head(client, entry_path("k"))), 10000),
		  "an entry with ttl=1 is not stale after 10 s");
}

Test(stale, is_off_unless_set)
{
	cr_assert_eq(d1_stat("stale_ttl"), 0);
	expect_status(http_put(client, entry_path("k?ttl=1"), SLICE("v")), 201);
	cr_assert(await_condition(http_head(client, entry_path("k"))->status == 404, 10000));
}

Test(stale, setting_is_shown)
{
	const struct http_answer *answer;

	requires_feature("limits");
	expect_that(configure("'stale_ttl':1234"), answer_->status == 204, "expected 204");
	cr_assert_eq(d1_stat("stale_ttl"), 1234);
	expect_that(configure("'capacity':1000"), answer_->status == 204, "expected 204");
	cr_assert_eq(d1_stat("stale_ttl"), 1234);
	answer = http_get(client, "/cache");
	expect_that(answer, strstr(answer_->body, "\"stale_ttl\":1234") != NULL,
		    "expected stale_ttl among the settings");
	expect_that(configure("'stale_ttl':null"), answer_->status == 204, "expected 204");
	cr_assert_eq(d1_stat("stale_ttl"), 0);
}

Test(stale, get_and_head_serve_it_and_say_so)
{
	const struct http_answer *answer;
	char etag[80];

	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("value");
	answer = http_get(client, entry_path("k"));
	expect_status(answer, 200);
	expect_body(answer, SLICE("value"));
	const char *control = http_header(answer, "Cache-Control");
	expect_that(answer, control && strncmp(control, "max-age=0", 9) == 0, "expected max-age=0");
	const char *status = http_header(answer, "Cache-Status");
	const char *start = "steadycache; hit; fwd=stale; ttl=-";
	expect_that(answer, status && strncmp(status, start, strlen(start)) == 0,
		    "expected Cache-Status: %s...", start);
	expect_that(answer, atol(status + strlen(start)) >= 1, "expected a negative ttl");
	expect_that(answer, atol(http_header(answer, "Age")) >= 1, "expected its Age");
	(void)snprintf(etag, sizeof(etag), "If-None-Match: %s", http_header(answer, "ETag"));
	expect_status(http_get(client, entry_path("k"), etag), 304);
	expect_status(http_get(client, entry_path("k"), "If-Match: \"x\""), 412);
	answer = http_get(client, entry_path("k"), "Range: bytes=1-2");
	expect_status(answer, 206);
	expect_body(answer, SLICE("al"));
}

Test(stale, other_requests_do_not_see_it)
{
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("v");
	expect_d1(d1("exists", "'key':'k'"), 200, "{'exists':false}");
	expect_d1(d1("batch/get", "'keys':['k']"), 200, "{'results':{'k':{'found':false}}}");
	expect_that(http_get(client, ns_path("")), !strstr(answer_->body, "\"k\""),
		    "expected it not to be listed");
	expect_status(http_put(client, entry_path("k"), SLICE("w"), "If-Match: *"), 412);
	cr_assert(is_stale(http_get(client, entry_path("k"))), "a refused PUT leaves it there");
}

Test(stale, d1_get_serves_it_and_says_so)
{
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("v");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'v','stale':true}");
	expect_status(http_put(client, entry_path("k"), SLICE("w")), 201);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'w'}");
}

Test(stale, put_begins_anew)
{
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("v");
	for (int i = 0; i < 5; i++)
		expect_status(http_get(client, entry_path("k")), 200);
	expect_status(http_put(client, entry_path("k"), SLICE("w"), "If-None-Match: *"), 201);
	if (!lacks_feature("one-server"))
		cr_assert_eq(listed_number("k", "frequency"), 1);
	cr_assert_not(is_stale(http_get(client, entry_path("k"))));
	expect_body(http_get(client, entry_path("k")), SLICE("w"));
	cr_assert_eq(d1_stat("entry_count"), 1);
}

Test(stale, delete_removes_it_and_finds_none)
{
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("v");
	expect_status(http_delete(client, entry_path("k")), 404);
	expect_status(http_get(client, entry_path("k")), 404);
	cr_assert_eq(d1_stat("entry_count"), 0);
}

Test(stale, ends_after_its_time)
{
	expect_that(configure("'stale_ttl':1"), answer_->status == 204, "expected 204");
	expect_status(http_put(client, entry_path("k?ttl=1"), SLICE("v")), 201);
	cr_assert(await_condition(http_head(client, entry_path("k"))->status == 404, 10000));
	cr_assert(await_condition(d1_stat("entry_count") == 0, 20000), "it is swept away");
}

Test(stale, ends_where_the_setting_does)
{
	requires_feature("one-server");
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("v");
	expect_that(configure("'stale_ttl':0"), answer_->status == 204, "expected 204");
	expect_status(http_get(client, entry_path("k")), 404);
}

Test(stale, hits_are_counted)
{
	requires_feature("one-server");
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("v");
	double hits = d1_stat("hits");
	double misses = d1_stat("misses");
	for (int i = 0; i < 3; i++)
		expect_status(http_get(client, entry_path("k")), 200);
	cr_assert_eq(d1_stat("stale_hits"), 3);
	cr_assert_eq(d1_stat("hits"), hits + 3);
	cr_assert_eq(d1_stat("misses"), misses);
}

Test(stale, one_gets_the_lease_and_the_others_the_old_value)
{
	const struct http_answer *answer;
	char header[80];

	requires_feature("single-flight");
	expect_that(configure("'stale_ttl':1000"), answer_->status == 204, "expected 204");
	put_and_await_staleness("old");
	answer = http_get(client, entry_path("k?wait=60&lease=60"));
	expect_status(answer, 404);
	const char *lease = http_header(answer, "Lease");
	expect_that(answer, lease && strlen(lease) > 32, "expected a Lease");
	expect_header(answer, "Cache-Status", "steadycache; fwd=miss");
	(void)snprintf(header, sizeof(header), "Lease: %.32s", lease);
	cr_assert(is_stale(http_get(client, entry_path("k"))));
	cr_assert(is_stale(http_get(client, entry_path("k?lease=60"))));
	cr_assert(is_stale(http_get(client, entry_path("k?wait=60"))));
	cr_assert(is_stale(http_get(client, entry_path("k?wait=60&lease=60"))));
	expect_d1(d1("get", "'key':'k','wait':60,'lease':60"), 200,
		  "{'found':true,'value':'old','stale':true}");
	/* Once given back, it goes to the next client that asks. */
	expect_status(http_delete(client, entry_path("k"), header), 204);
	answer = d1("get", "'key':'k','lease':60");
	expect_status(answer, 200);
	expect_that(answer, strstr(answer_->body, "{\"found\":false,\"lease\":\"") != NULL,
		    "expected a lease");
	expect_status(http_put(client, entry_path("k"), SLICE("new")), 201);
	expect_body(http_get(client, entry_path("k?wait=60&lease=60")), SLICE("new"));
}
