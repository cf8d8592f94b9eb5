/* What clients of other protocols ask for: Turborepo, Nx, and OPTIONS. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <string.h>

CONFORMANCE_SUITE(facades);

static const struct http_answer *ask_options(const char *target)
{
	return http_request(client, "OPTIONS", target, NO_BODY, HTTP_HEADERS("Authorization:"));
}

/* ---- OPTIONS ---- */

Test(facades, options_tell_what_a_path_takes_without_a_token)
{
	static const struct {
		const char *target, *allow;
	} cases[] = {
		{"/cache", "GET, HEAD, PROPFIND, OPTIONS"},
		{"/cache/n", "GET, HEAD, PUT, DELETE, PROPFIND, MKCOL, OPTIONS"},
		{"/cache/n/a/b", "GET, HEAD, PUT, DELETE, PATCH, PROPFIND, MKCOL, OPTIONS"},
		{"/batch/n/get", "POST, OPTIONS"},
		{"/api/get", "POST, OPTIONS"},
		{"/healthz", "GET, HEAD, OPTIONS"},
	};

	requires_feature("webdav");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct http_answer *answer = ask_options(cases[i].target);
		bool is_dav = strncmp(cases[i].target, "/cache", 6) == 0;

		expect_status(answer, 204);
		expect_header(answer, "Allow", cases[i].allow);
		expect_header(answer, "DAV", is_dav ? "1" : NULL);
		expect_header(answer, "Access-Control-Allow-Headers", NULL);
	}
	expect_status(ask_options("/nope"), 404);
}

Test(facades, options_open_no_door_to_pages)
{
	static const char *const targets[] = {"/cache/n/k", "/v8/artifacts/ab"};

	requires_feature("facades");
	for (size_t i = 0; i < 2; i++) {
		const struct http_answer *answer = http_request(
			client, "OPTIONS", targets[i], NO_BODY,
			HTTP_HEADERS("Authorization:", "Origin: https://evil.example",
				     "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors",
				     "Access-Control-Request-Method: PUT",
				     "Access-Control-Request-Headers: authorization"));

		/* Without a token the server does not talk to pages at all. */
		expect_status(answer, api_key ? 204 : 403);
		expect_header(answer, "Access-Control-Allow-Origin", NULL);
		expect_header(answer, "Access-Control-Allow-Credentials", NULL);
		expect_header(answer, "Access-Control-Allow-Methods", NULL);
	}
}

/* ---- Turborepo ---- */

static const char *artifact(const char *hash)
{
	return quoted("/v8/artifacts/%s?slug=%s", hash, ns);
}

Test(facades, turborepo_at_the_root)
{
	requires_feature("facades");
	expect_body(http_get(client, artifact("status")), SLICE("{\"status\":\"enabled\"}"));
	expect_status(http_get(client, artifact("ab12")), 404);
	expect_status(http_put(client, artifact("ab12"), SLICE("tar"),
			       "Content-Type: application/octet-stream"),
		      201);
	expect_body(http_get(client, artifact("ab12")), SLICE("tar"));
	expect_status(http_head(client, artifact("ab12")), 200);
	expect_status(http_post_json(client, artifact("events"), "[{\"event\":\"HIT\"}]"), 200);
	/* It is an entry, and the same below the namespace. */
	expect_body(http_get(client, entry_path("v8/artifacts/ab12")), SLICE("tar"));
	expect_body(http_get(client, entry_path("v8/artifacts/ab12?slug=other&teamId=t")),
		    SLICE("tar"));
	expect_status(http_put(client, entry_path("v8/artifacts/ab13?slug=other"), SLICE("t2")),
		      201);
	expect_body(http_get(client, artifact("ab13")), SLICE("t2"));
	expect_body(http_get(client, quoted("/v8/artifacts/ab13?teamId=%s", ns)), SLICE("t2"));
	expect_body(http_get(client, quoted("/v8/artifacts/ab13?teamId=other&slug=%s", ns)),
		    SLICE("t2"));
	expect_body(http_get(client, entry_path("v8/artifacts/status")),
		    SLICE("{\"status\":\"enabled\"}"));
	expect_status(http_post_json(client, entry_path("v8/artifacts/events"), "[]"), 200);
}

Test(facades, turborepo_gets_errors_that_it_can_read)
{
	requires_feature("facades");
	expect_json_text(http_get(client, artifact("absent")),
			 "{'error':{'code':'not_found','message':'no such entry'}}");
	expect_json_text(http_get(client, entry_path("v8/artifacts/absent")),
			 "{'error':{'code':'not_found','message':'no such entry'}}");
	const struct http_answer *answer = http_get(client, "/v8/artifacts/ab?slug=a%2Fb");
	expect_status(answer, 400);
	expect_that(answer, strstr(answer_->body, "{\"error\":{\"code\":\"bad_request\",") != NULL,
		    "expected an error of Turborepo's");
}

Test(facades, turborepo_is_told_that_it_may_send_its_token)
{
	static const char *const targets[] = {"/v8/artifacts/ab", "/v8/artifacts/events",
					      "/cache/n/v8/artifacts/ab"};

	requires_feature("facades");
	for (size_t i = 0; i < 3; i++) {
		const struct http_answer *answer = ask_options(targets[i]);

		expect_status(answer, 204);
		expect_that(answer,
			    list_holds(http_header(answer_, "Access-Control-Allow-Headers"),
				       "Authorization"),
			    "expected Access-Control-Allow-Headers with Authorization");
		expect_header(answer, "Access-Control-Allow-Origin", NULL);
	}
}

/* ---- Nx ---- */

Test(facades, nx_keeps_what_came_first)
{
	requires_feature("facades");
	expect_status(http_get(client, entry_path("v1/cache/ab12")), 404);
	expect_status(http_put(client, entry_path("v1/cache/ab12"), SLICE("one")), 200);
	expect_problem(http_put(client, entry_path("v1/cache/ab12"), SLICE("two")), 409, "stays");
	expect_body(http_get(client, entry_path("v1/cache/ab12")), SLICE("one"));
	/* A condition of the client's own does not change that. */
	expect_problem(http_put(client, entry_path("v1/cache/ab12"), SLICE("two"), "If-Match: *"),
		       409, "stays");
	expect_status(http_delete(client, entry_path("v1/cache/ab12")), 204);
	expect_status(http_put(client, entry_path("v1/cache/ab12"), SLICE("two")), 200);
}

Test(facades, nx_at_the_root)
{
	const char *target = quoted("/v1/cache/%s", ns);
	const char *same = quoted("/cache/nx/v1/cache/%s", ns);

	requires_feature("facades");
	expect_status(http_get(client, target), 404);
	expect_status(
		http_put(client, target, SLICE("one"), "Content-Type: application/octet-stream"),
		200);
	expect_problem(http_put(client, target, SLICE("two")), 409, "stays");
	const struct http_answer *answer = http_get(client, same);
	expect_body(answer, SLICE("one"));
	expect_header(answer, "Content-Type", "application/octet-stream");
	expect_status(http_delete(client, same), 204);
	expect_status(http_get(client, target), 404);
}
