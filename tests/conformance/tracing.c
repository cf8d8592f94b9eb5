/* Request ids, and the level of the log. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(tracing);

Test(tracing, a_request_id_comes_back)
{
	requires_feature("request-id");
	expect_header(http_put(client, entry_path("k"), SLICE("v"), "X-Request-Id: put-1"),
		      "X-Request-Id", "put-1");
	expect_header(http_get(client, entry_path("k"), "X-Request-Id: get/1"), "X-Request-Id",
		      "get/1");
	expect_header(http_get(client, entry_path("none"), "X-Request-Id: miss=1"), "X-Request-Id",
		      "miss=1");
	expect_header(http_get(client, "/nope", "X-Request-Id: nope"), "X-Request-Id", "nope");
	expect_header(http_get(client, entry_path("k")), "X-Request-Id", NULL);
}

Test(tracing, an_error_has_an_id_and_a_bad_one_is_replaced)
{
	requires_feature("request-id");
	const struct http_answer *answer = http_get(client, "/nope");
	expect_that(answer, http_header(answer, "X-Request-Id"), "expected an id");
	answer = http_get(client, entry_path("none"), "X-Request-Id: a \"bad\" one");
	const char *id = http_header(answer, "X-Request-Id");
	expect_that(answer, id && !strpbrk(id, " \""), "expected an id of the server's");
}

Test(tracing, a_trace_changes_nothing)
{
	static const char *const parents[] = {
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
		"traceparent: ff",
	};

	expect_status(http_put(client, entry_path("k"), SLICE("v"), parents[0]), 201);
	for (size_t i = 0; i < 3; i++) {
		expect_body(http_get(client, entry_path("k"), parents[i], "tracestate: a=1,b="),
			    SLICE("v"));
		expect_status(http_get(client, entry_path("none"), parents[i]), 404);
	}
}

Test(tracing, the_level_of_the_log)
{
	const char *const path = "/admin/log-level";

	requires_feature("log-level");
	expect_status(http_get(client, path), 200);
	expect_status(http_put_json(client, path, "{\"level\":null}"), 200);
	expect_problem(http_put_json(client, path, "{\"level\":\"loud\"}"), 400, "level");
	expect_problem(http_put_json(client, path, "{}"), 400, "level");
	expect_problem(http_delete(client, path), 405, "");
	if (api_key)
		expect_status(http_get(client, path, "Authorization:"), 401);
}
