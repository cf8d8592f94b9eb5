/* Query parameters: requests that change something accept only known ones, and clearing must be
 * explicit. */
#include "tests/conformance/conformance.h"

#include <string.h>

#include "tests/conformance/resources.h"

CONFORMANCE_SUITE(parameters);

static bool is_d1(const char *target)
{
	return strncmp(target, "/api/", 5) == 0;
}

/* Expects 400 for the request with `query`, and a sentence that names `word`. */
static void expect_refused(const struct resource *resource, const char *query, const char *word)
{
	const char *base = resource->target;
	struct slice body = *resource->method == 'P' ? SLICE("{}") : NO_BODY;
	const struct http_answer *answer = http_request(
		client, resource->method, quoted("%.*s?%s", (int)strcspn(base, "?"), base, query),
		body, HTTP_HEADERS());

	expect_status(answer, 400);
	if (strncmp(base, "/v8/", 4) == 0) /* in a form of its own */
		expect_that(answer, strstr(answer_->body, word) != NULL, "expected %s", word);
	else
		expect_that(answer, error_mentions(answer_, word, !is_d1(base)),
			    "expected an error that mentions %s", word);
}

Test(parameters, what_changes_something_knows_all_of_them)
{
	for (const struct resource *resource = resources; resource->method; resource++) {
		if (strcmp(resource->method, "GET") == 0 || strcmp(resource->method, "HEAD") == 0 ||
		    (resource->feature && lacks_feature(resource->feature)))
			continue;
		expect_refused(resource, "unheard-of", "unheard-of");
		expect_refused(resource, "unheard-of=1&pretty", "unheard-of");
		expect_refused(resource, "pretty&unheard-of=", "pretty");
		expect_refused(resource, "p%72etty", "p%72etty");
		expect_refused(resource, "Pretty", "Pretty");
		expect_refused(resource, "pretty&pretty=1", "twice");
		expect_refused(resource, "=x", "no parameter");
	}
}

Test(parameters, reads_ignore_those_that_are_not_known)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_status(http_get(client, entry_path("k?x=1&x=2&b")), 200);
	expect_status(http_head(client, entry_path("k?x")), 200);
	expect_status(http_get(client, ns_path("?x&limit=1")), 200);
}

Test(parameters, of_an_entry)
{
	expect_status(http_put(client, entry_path("k?ttl=100&pretty"), SLICE("v")), 201);
	expect_status(http_put(client, entry_path("k?"), SLICE("v")), 204);
	expect_status(http_put(client, entry_path("k?&&ttl=100&"), SLICE("v")), 204);
	expect_problem(http_put(client, entry_path("k?tll=100"), SLICE("w")), 400, "ttl");
	expect_problem(http_put(client, entry_path("k?ttl=100&ttl=200"), SLICE("w")), 400, "ttl");
	expect_problem(http_put(client, entry_path("k?ttl=100&t%74l=200"), SLICE("w")), 400,
		       "t%74l");
	expect_problem(http_put(client, entry_path("k?prefix=a"), SLICE("w")), 400, "prefix");
	expect_problem(http_put(client, entry_path("k?%ff%00=a"), SLICE("w")), 400, "%ff%00");
	expect_problem(http_delete(client, entry_path("k?ttl=1")), 400, "ttl");
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
	expect_status(http_delete(client, entry_path("k?pretty")), 204);
}

Test(parameters, clearing_is_said)
{
	static const char *const refused[] = {
		"",
		"?",
		"?pretty",
		"?prefix",
		"?prefix=",
		"?prefx=a",
		"?key=k",
		"?all=0",
		"?all=no",
		"?all=false",
		"?ALL",
		"?all&prefix=k",
		"?all&prefix=",
		"?all=1&all=1",
		"?prefix=k&prefix=k",
		"?a%6cl",
		"?prefix=k&limit=1",
	};
	static const char *const taken[] = {"?all",      "?all=",       "?all=1",
					    "?all=true", "?pretty&all", "?prefix=k"};

	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		expect_problem(http_delete(client, ns_path(refused[i])), 400, "");
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
	/* What a client makes of "/cache/x/../{ns}". */
	expect_problem(http_delete(client, ns_path("")), 400, "?all");
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		(void)http_put(client, entry_path("k"), SLICE("v"));
		expect_status(http_delete(client, ns_path(taken[i])), 204);
		expect_status(http_get(client, entry_path("k")), 404);
	}
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_d1(d1("clear", " "), 200, "{'success':true}");
	expect_status(http_get(client, entry_path("k")), 404);
}
