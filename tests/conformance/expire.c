/* Another time to live without the value, the header X-TTL, and namespaces that are dropped. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/server_process.h"

CONFORMANCE_SUITE(expire);

static const struct http_answer *patch(const char *target)
{
	return http_request(client, "PATCH", entry_path(target), NO_BODY, HTTP_HEADERS());
}

/* The ttl that a GET of k tells; 0: it does not expire. */
static long ttl_of_k(void)
{
	const struct http_answer *answer = http_head(client, entry_path("k"));
	const char *status = http_header(answer, "Cache-Status");

	expect_status(answer, 200);
	const char *ttl = status ? strstr(status, "ttl=") : NULL;
	return ttl ? atol(ttl + 4) : 0;
}

#define expect_ttl(wanted)                                                                         \
	do {                                                                                       \
		long ttl_ = ttl_of_k();                                                            \
		cr_assert(ttl_ <= (wanted) && ttl_ >= (wanted)-30, "a ttl of %ld", ttl_);          \
	} while (0)

Test(expire, changes_the_time_and_nothing_else)
{
	requires_feature("expire");
	expect_status(http_put(client, entry_path("k?ttl=1000"), SLICE("v"), "Content-Type: a/b"),
		      201);
	const struct http_answer *before = http_head(client, entry_path("k"));
	expect_status(patch("k?ttl=50000"), 204);
	expect_ttl(50000);
	const struct http_answer *after = http_get(client, entry_path("k"));
	expect_body(after, SLICE("v"));
	expect_header(after, "Content-Type", "a/b");
	expect_header(after, "ETag", http_header(before, "ETag"));
	expect_header(after, "Last-Modified", http_header(before, "Last-Modified"));
	expect_status(patch("k?ttl=0"), 204);
	cr_assert_eq(ttl_of_k(), 0);
	expect_status(patch("k?ttl=7000"), 204);
	expect_ttl(7000);
}

Test(expire, a_short_time_ends_the_entry)
{
	requires_feature("expire");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_status(patch("k?ttl=1"), 204);
	cr_assert(await_condition(http_get(client, entry_path("k"))->status == 404, 10000));
	expect_problem(patch("k?ttl=100"), 404, "no such entry");
	expect_status(http_get(client, entry_path("k")), 404);
}

Test(expire, needs_an_entry_a_time_and_its_condition)
{
	requires_feature("expire");
	expect_problem(patch("k?ttl=100"), 404, "no such entry");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_problem(patch("k"), 400, "ttl");
	expect_problem(patch("k?ttl=x"), 400, "ttl");
	expect_problem(patch("k?ttl=5&ttl=5"), 400, "twice");
	expect_problem(patch("k?tll=5"), 400, "tll");
	expect_problem(
		http_request(client, "PATCH", entry_path("k?ttl=100"), SLICE("v"), HTTP_HEADERS()),
		415, "body");
	expect_problem(http_request(client, "PATCH", entry_path("k?ttl=100"), NO_BODY,
				    HTTP_HEADERS("If-Match: \"no\"")),
		       412, "");
	cr_assert_eq(ttl_of_k(), 0);
	const char *etag = http_header(http_head(client, entry_path("k")), "ETag");
	expect_status(http_request(client, "PATCH", entry_path("k?ttl=100"), NO_BODY,
				   HTTP_HEADERS(quoted("If-Match: %s", etag))),
		      204);
	expect_ttl(100);
}

Test(expire, the_time_may_be_in_a_header)
{
	requires_feature("expire");
	expect_status(http_put(client, entry_path("k"), SLICE("v"), "X-TTL: 1000"), 201);
	expect_ttl(1000);
	expect_status(http_put(client, entry_path("k?ttl=60"), SLICE("v"), "X-TTL: 60"), 204);
	expect_ttl(60);
	expect_problem(http_put(client, entry_path("k?ttl=60"), SLICE("w"), "X-TTL: 61"), 400,
		       "X-TTL");
	expect_problem(http_put(client, entry_path("k"), SLICE("w"), "X-TTL: soon"), 400, "X-TTL");
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
	expect_status(http_request(client, "PATCH", entry_path("k"), NO_BODY,
				   HTTP_HEADERS("X-TTL: 7000")),
		      204);
	expect_ttl(7000);
}

Test(expire, many_at_once)
{
	requires_feature("expire");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("l"), SLICE("v")), 201);
	expect_json_text(batch("expire", "'keys':['k','none','l'],'ttl':5000"),
			 "{'results':{'k':{'exists':true},'none':{'exists':false},'l':{'exists':"
			 "true}}}");
	expect_ttl(5000);
	expect_problem(batch("expire", "'keys':['k']"), 400, "ttl");
}

/* ---- Dropping ---- */

static bool is_listed(void)
{
	json_auto_t *all = http_json(http_get(client, "/cache"));
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(all, "namespaces"), i, one)
	{
		if (strcmp(json_string_value(json_object_get(one, "name")), ns) == 0)
			return true;
	}
	return false;
}

Test(expire, a_dropped_namespace_is_gone_with_its_settings)
{
	requires_feature("expire");
	expect_status(configure("'default_ttl':77"), 204);
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	cr_assert(is_listed());
	expect_problem(http_delete(client, ns_path("?drop&all")), 400, "one of three");
	expect_problem(http_delete(client, ns_path("?drop&prefix=k")), 400, "one of three");
	expect_problem(http_delete(client, ns_path("?drop=no")), 400, "drop");
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
	expect_status(http_delete(client, ns_path("?drop")), 204);
	cr_assert(!is_listed());
	expect_status(http_get(client, entry_path("k")), 404);
	expect_problem(http_delete(client, ns_path("?drop")), 404, "no such namespace");
	expect_status(http_put(client, entry_path("k"), SLICE("w")), 201);
	cr_assert_eq(ttl_of_k(), 0, "the default_ttl has outlived its namespace");
	expect_status(http_delete(client, ns_path("?drop=true")), 204);
}
