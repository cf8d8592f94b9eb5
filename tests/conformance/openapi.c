/* The description of the API, served by what it describes. */
#include "tests/conformance/conformance.h"

#include <string.h>

CONFORMANCE_SUITE(openapi);

static const char *const forms[] = {"/openapi.yaml", "/openapi.json"};

Test(openapi, served_to_everybody)
{
	static const char *const types[] = {"application/yaml", "application/json"};

	requires_feature("openapi");
	http_client_set_key(client, NULL);
	for (size_t i = 0; i < 2; i++) {
		const struct http_answer *answer = http_get(client, forms[i]);

		expect_status(answer, 200);
		expect_header(answer, "Content-Type", types[i]);
		expect_that(answer, strstr(answer_->body, "/cache/{ns}/{key}") != NULL,
			    "expected the paths");
		expect_status(http_get(client, forms[i], "Authorization: Bearer wrong"), 200);
	}
	http_client_set_key(client, api_key);
}

Test(openapi, json_is_json)
{
	requires_feature("openapi");
	json_auto_t *document = http_json(http_get(client, "/openapi.json"));

	cr_assert(json_is_object(json_object_get(document, "paths")));
}

Test(openapi, revalidated_by_its_tag)
{
	requires_feature("openapi");
	for (size_t i = 0; i < 2; i++) {
		const char *etag = http_header(http_head(client, forms[i]), "ETag");

		cr_assert(etag != NULL);
		const char *condition = quoted("If-None-Match: %s", etag);
		const struct http_answer *answer = http_get(client, forms[i], condition);

		expect_status(answer, 304);
		expect_body(answer, SLICE(""));
		expect_header(answer, "ETag", condition + strlen("If-None-Match: "));
		expect_status(http_get(client, forms[i], "If-None-Match: \"another\""), 200);
	}
}

Test(openapi, read_only)
{
	requires_feature("openapi");
	for (size_t i = 0; i < 2; i++) {
		const struct http_answer *answer = http_put(client, forms[i], SLICE("openapi: x"));

		expect_problem(answer, 405, "");
		expect_header(answer, "Allow", "GET, HEAD");
	}
}
