/* The description of the API, served by the server that it describes. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/conformance/resources.h"

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
		expect_header(answer, "Allow", "GET, HEAD, OPTIONS");
	}
}

/* ---- Described answers that no other suite asks for ---- */

Test(openapi, conditions_of_a_head)
{
	static const char other[] = "If-Match: \"00000000000000000000000000000000\"";

	expect_status(http_put(client, entry_path("k"), SLICE("hello")), 201);
	expect_problem(http_get(client, entry_path("k"), other), 412, "ETag");
	expect_status(http_head(client, entry_path("k"), other), 412);
}

/* `count` times "k", in one JSON array without its brackets. */
static char *many_keys(size_t count)
{
	char *keys = malloc(count * 4);

	cr_assert(keys != NULL);
	for (size_t i = 0; i < count; i++)
		memcpy(keys + i * 4, "\"k\",", 4);
	keys[count * 4 - 1] = '\0';
	return keys;
}

Test(openapi, batches_beyond_the_limit)
{
	requires_feature("openapi");
	static const char *const calls[] = {"get", "delete", "exists"};
	char *keys = many_keys(10001);

	for (size_t i = 0; i < 3; i++)
		expect_problem(batch(calls[i], "'keys':[%s]", keys), 413, "10001");
	free(keys);
}

Test(openapi, keys_beyond_the_limit)
{
	requires_feature("openapi");
	static const char *const calls[] = {"get", "delete", "exists", "set"};
	size_t len = (1 << 20) + 1;
	char *key = malloc(len + 1);

	cr_assert(key != NULL);
	memset(key, 'k', len);
	key[len] = '\0';
	for (size_t i = 0; i < 4; i++)
		expect_d1_error(d1(calls[i], "'value':'v','key':'%s'", key), 413, "1048577");
	free(key);
}

Test(openapi, batches_that_find_no_room)
{
	requires_feature("limits");
	requires_feature("eviction");
	requires_feature("atomic-batches");
	expect_status(configure("'eviction':'none','capacity':2"), 204);
	must_set("there", "already");
	expect_problem(batch("set", "'items':[{'key':'a','value':'1'},{'key':'b','value':'2'}]"),
		       507, "full");
	expect_d1_error(
		d1("batch/set", "'items':[{'key':'a','value':'1'},{'key':'b','value':'2'}]"), 507,
		"full");
	expect_d1(d1("exists", "'key':'a'"), 200, "{'exists':false}");
}

/* ---- All resources ---- */

static void expect_refused_elsewhere(const char *method, const char *target)
{
	static const struct {
		const char *header;
		int status;
	} cases[] = {
		{"Origin: http://elsewhere.example", 403},
		{"Origin: null", 403},
		{"Sec-Fetch-Site: cross-site", 403},
		{"Sec-Fetch-Site: same-site", 403}, /* another port */
		{"Host: rebound.example", 421},
	};
	struct slice body = *method == 'P' ? SLICE("{}") : NO_BODY;

	for (size_t i = 0; i < 5; i++) {
		const struct http_answer *answer =
			http_request(client, method, target, body, HTTP_HEADERS(cases[i].header));

		expect_status(answer, cases[i].status);
		expect_that(answer,
			    strcmp(method, "HEAD") == 0 ||
				    (strncmp(target, "/v8/", 4) == 0 &&
				     strstr(answer_->body, "STEADYCACHE_API_KEY")) ||
				    error_mentions(answer_, "STEADYCACHE_API_KEY",
						   strncmp(target, "/api", 4) != 0),
			    "expected what to do");
	}
}

/* `method` in any case. */
static bool is_in_table(const char *method, const char *path)
{
	for (const struct resource *resource = resources; resource->method; resource++)
		if (strcasecmp(resource->method, method) == 0 &&
		    strcmp(resource->pattern, path) == 0)
			return true;
	return false;
}

Test(openapi, a_page_of_another_site_is_refused)
{
	requires_feature("openapi");
	if (api_key)
		cr_skip("the server has a key");
	for (const struct resource *resource = resources; resource->method; resource++)
		expect_refused_elsewhere(resource->method, resource->target);
	expect_refused_elsewhere("GET", "/nope");
}

Test(openapi, other_sites_may_lead_to_the_pages)
{
	static const char *const targets[] = {"/ui", "/docs"};

	requires_feature("openapi");
	if (api_key)
		cr_skip("the server has a key");
	for (size_t i = 0; i < 2; i++) {
		const char *target = targets[i];
		long status = http_get(client, target)->status; /* 404: built without pages */

		expect_status(http_get(client, target, "Sec-Fetch-Site: cross-site",
				       "Sec-Fetch-Mode: navigate"),
			      status);
		expect_status(http_get(client, target, "Sec-Fetch-Site: cross-site",
				       "Sec-Fetch-Mode: no-cors"),
			      403);
		expect_status(http_post(client, target, SLICE("x"), "Sec-Fetch-Site: cross-site",
					"Sec-Fetch-Mode: navigate"),
			      403);
	}
	expect_status(http_get(client, entry_path("k"), "Sec-Fetch-Site: cross-site",
			       "Sec-Fetch-Mode: navigate"),
		      403);
	expect_status(http_get(client, "/healthz", "Sec-Fetch-Site: cross-site"), 403);
}

/* A probe, a tunnel, a development server. */
Test(openapi, who_is_no_page_of_another_site_comes_in)
{
	static const char *const headers[] = {
		"Host: localhost",          "Host: cache.localhost:1234",
		"Host: [::1]:8080",         "Host: 127.0.0.1",
		"Sec-Fetch-Site: none",     "Sec-Fetch-Site: same-origin",
		"Sec-Fetch-Mode: navigate",
	};

	requires_feature("openapi");
	for (size_t i = 0; i < 7; i++)
		expect_status(http_get(client, entry_path("k"), headers[i]), 404);
	expect_status(http_get(client, "/healthz", "Host: pod.example"), 200);
	expect_status(http_get(client, "/readyz", "Host: pod.example"), 200);
}

/* Otherwise a new resource would be in neither of the tests that go through all. */
Test(openapi, every_described_resource_is_in_the_table)
{
	requires_feature("openapi");
	json_auto_t *document = http_json(http_get(client, "/openapi.json"));
	const char *path, *method;
	json_t *methods, *operation;
	size_t described = 0, known = 0;

	json_object_foreach(json_object_get(document, "paths"), path, methods)
	{
		if (strcmp(path, "/metrics") == 0)
			continue;
		json_object_foreach(methods, method, operation)
		{
			if (!json_object_get(operation, "x-right"))
				continue;
			described++;
			cr_expect(is_in_table(method, path), "%s %s", method, path);
		}
	}
	while (resources[known].method)
		known++;
	cr_expect_eq(known, described);
}
