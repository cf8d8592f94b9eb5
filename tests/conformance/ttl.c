/* Time to live: given, defaulted, refused, and expired. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>

#include "tests/support/server_process.h"

CONFORMANCE_SUITE(ttl);

/* The time that k has left for caches: max-age minus Age (RFC 9111, 4.2). -1: it does not
 * expire. */
static long max_age(void)
{
	const struct http_answer *answer = http_get(client, entry_path("k"));
	const char *control = http_header(answer, "Cache-Control");
	const char *status = http_header(answer, "Cache-Status");
	const char *found = control ? strstr(control, "max-age=") : NULL;
	long left_s;

	expect_status(answer, 200);
	if (!found) {
		expect_header(answer, "Cache-Status", "steadycache; hit");
		expect_that(answer, control && list_holds(control, "no-cache"),
			    "expected Cache-Control: no-cache");
		return -1;
	}
	left_s = atol(found + 8) - atol(http_header(answer, "Age"));
	expect_that(answer,
		    status && strncmp(status, "steadycache; hit; ttl=", 22) == 0 &&
			    labs(atol(status + 22) - left_s) <= 1,
		    "expected Cache-Status: steadycache; hit; ttl=%ld", left_s);
	return left_s;
}

#define expect_max_age(wanted)                                                                     \
	do {                                                                                       \
		long age_ = max_age();                                                             \
		cr_assert(age_ >= (wanted)-30 && age_ <= (wanted), "max-age %ld of %ld", age_,     \
			  (long)(wanted));                                                         \
	} while (0)

Test(ttl, remaining_time_is_told)
{
	expect_status(http_put(client, entry_path("k?ttl=1000"), SLICE("v")), 201);
	expect_max_age(1000);
	expect_status(http_put(client, entry_path("k?ttl=86400000"), SLICE("v")), 204);
	expect_max_age(86400000);
}

/* ... and time is not counted twice, in max-age and in Age. */
Test(ttl, max_age_stays_what_it_was)
{
	const struct http_answer *answer;

	expect_status(http_put(client, entry_path("k?ttl=1000"), SLICE("v")), 201);
	cr_assert(await_condition(
		(answer = http_get(client, entry_path("k")), atol(http_header(answer, "Age")) >= 1),
		10000));
	expect_that(answer, strstr(http_header(answer_, "Cache-Control"), "max-age=1000") != NULL,
		    "expected the whole lifetime");
}

Test(ttl, an_overwrite_without_ttl_never_expires)
{
	expect_status(http_put(client, entry_path("k?ttl=1000"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 204);
	cr_assert_eq(max_age(), -1);
}

Test(ttl, zero_never_expires)
{
	expect_status(http_put(client, entry_path("k?ttl=0"), SLICE("v")), 201);
	cr_assert_eq(max_age(), -1);
}

Test(ttl, the_default_of_the_namespace)
{
	expect_that(configure("'default_ttl':500"), answer_->status / 100 == 2, "expected success");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_max_age(500);
	expect_status(http_put(client, entry_path("k?ttl=100"), SLICE("v")), 204);
	expect_max_age(100);
	expect_status(http_put(client, entry_path("k?ttl=0"), SLICE("v")), 204);
	cr_assert_eq(max_age(), -1);
	/* Sets of the D1 API use it, too. */
	must_set("k", "w");
	expect_max_age(500);
	expect_that(configure("'default_ttl':0"), answer_->status / 100 == 2, "expected success");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 204);
	cr_assert_eq(max_age(), -1);
}

Test(ttl, refused)
{
	static const char *const ttls[] = {"-1",         "x",    "",
					   "1.5",        "1e3",  "1s",
					   "+5",         "0x10", "99999999999999999999",
					   "nan",        "true", "%201",
					   "3153600001", "1%00"};

	for (size_t i = 0; i < sizeof(ttls) / sizeof(*ttls); i++)
		expect_problem(
			http_put(client, entry_path(quoted("k?ttl=%s", ttls[i])), SLICE("v")), 400,
			"ttl");
	expect_status(http_get(client, entry_path("k")), 404);
}

Test(ttl, expiry)
{
	const struct http_answer *answer;

	requires_feature("uses");
	expect_status(http_put(client, entry_path("k?ttl=1"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("stays?ttl=1000"), SLICE("v")), 201);
	cr_assert(await_condition(http_head(client, entry_path("k"))->status == 404, 10000),
		  "an entry with ttl=1 lives after 10 s");
	expect_status(http_get(client, entry_path("k")), 404);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':false}");
	expect_d1(d1("exists", "'key':'k'"), 200, "{'exists':false}");
	expect_d1(d1("batch/get", "'keys':['k','stays']"), 200,
		  "{'results':{'k':{'found':false},'stays':{'found':true,'value':'v'}}}");
	expect_status(http_delete(client, entry_path("k")), 404);
	answer = http_get(client, ns_path(""));
	expect_that(answer, !strstr(answer_->body, "\"k\"") && strstr(answer_->body, "\"stays\""),
		    "expected only \"stays\" in the listing");
	expect_status(http_put(client, entry_path("k"), SLICE("v"), "If-Match: *"), 412);
	expect_status(http_put(client, entry_path("k"), SLICE("w"), "If-None-Match: *"), 201);
	expect_body(http_get(client, entry_path("k")), SLICE("w"));
	/* A new entry, not a new version of the expired one. */
	if (!lacks_feature("one-server"))
		cr_assert_eq(listed_number("k", "frequency"), 2);
}

Test(ttl, no_sooner_than_told)
{
	long long start_ms = steady_now_ms();

	expect_status(http_put(client, entry_path("k?ttl=2"), SLICE("v")), 201);
	cr_assert(await_condition(http_head(client, entry_path("k"))->status == 404, 10000));
	cr_assert_geq(steady_now_ms() - start_ms, 1950);
}

Test(ttl, expired_entries_leave_the_statistics)
{
	expect_status(http_put(client, entry_path("k?ttl=1"), SLICE("12345")), 201);
	expect_status(http_put(client, entry_path("stays"), SLICE("123")), 201);
	cr_assert(await_condition(d1_stat("entry_count") == 1 && d1_stat("total_size") == 3, 20000),
		  "an expired entry was not swept away in 20 s");
}
