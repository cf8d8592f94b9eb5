/* Unknown paths and methods, and the problem documents about them. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(problems);

Test(problems, unknown_paths)
{
	static const char *const paths[] = {
		"/",           "/nope",      "/cach",         "/cachex",     "/caches/ns/k",
		"/stats/ns/x", "/healthz/x", "/sync/x",       "/CACHE/ns/k", "//cache/ns/k",
		"/.",          "/..",        "/../etc/passwd"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		expect_problem(http_get(client, paths[i]), 404, "");
}

Test(problems, wrong_methods)
{
	static const struct {
		const char *method, *target, *allowed[5];
	} cases[] = {
		{"POST", "/cache/%s/k", {"GET", "HEAD", "PUT", "DELETE"}},
		{"POST", "/cache/%s/k", {"GET", "HEAD", "PUT", "DELETE", "PATCH"}},
		{"POST", "/cache/%s", {"GET", "PUT", "DELETE"}},
		{"PUT", "/cache", {"GET"}},
		{"DELETE", "/cache", {"GET"}},
		{"POST", "/stats", {"GET"}},
		{"DELETE", "/stats/%s", {"GET"}},
		{"GET", "/sync", {"POST"}},
		{"POST", "/healthz", {"GET"}},
		{"DELETE", "/readyz", {"GET"}},
		{"PUT", "/batch/%s/set", {"POST"}},
		{"FROBNICATE", "/cache/%s/k", {"GET", "HEAD", "PUT", "DELETE"}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char target[100];
		const struct http_answer *answer;

		if (lacks_feature("unknown-methods") && strcmp(cases[i].method, "FROBNICATE") == 0)
			continue;
		(void)snprintf(
			target, sizeof(target), "%.*s%s%s", (int)strcspn(cases[i].target, "%"),
			cases[i].target, strchr(cases[i].target, '%') ? ns : "",
			strchr(cases[i].target, '%') ? strchr(cases[i].target, '%') + 2 : "");
		answer = http_request(client, cases[i].method, target, NO_BODY, HTTP_HEADERS());
		expect_problem(answer, 405, "");
		for (size_t j = 0; j < 5 && cases[i].allowed[j]; j++)
			expect_that(answer,
				    http_header(answer_, "Allow") &&
					    list_holds(http_header(answer_, "Allow"),
						       cases[i].allowed[j]),
				    "expected Allow with %s", cases[i].allowed[j]);
	}
}

Test(problems, text_from_outside_is_escaped)
{
	expect_problem(http_get(client, "/nope%22%0A%00%ff%3Cscript%3E"), 404, "");
	expect_problem(http_get(client, "/cache/a%22%0A%00%ff/k"), 400, "");
	expect_problem(http_put(client, entry_path("k?ttl=%22%0A%00%ff"), SLICE("v")), 400, "ttl");
	expect_problem(http_get(client, ns_path("?limit=%22%0A%00%ff")), 400, "limit");
	expect_problem(configure("'eviction':'\\\"\\n\\u0000'"), 400, "eviction");
	expect_d1_error(http_post_json(client, "/api/nope%22%0A%00%ff", "{}"), 404, "");
}

Test(problems, pretty)
{
	const struct http_answer *answer = http_get(client, entry_path("absent?pretty"));

	expect_problem(answer, 404, "");
	expect_that(answer, strstr(answer_->body, "{\n  \"") != NULL, "expected an indent");
}
