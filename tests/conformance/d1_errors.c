/* What /api answers to wrong requests, and to caches that nobody has initialized. */
#include "tests/conformance/conformance.h"

#include <stdio.h>

CONFORMANCE_SUITE(d1_errors);

static const char *const endpoints[] = {"init",      "get",   "set",       "delete",       "exists",
					"batch/get", "clear", "batch/set", "batch/delete", "stats"};
#define ENDPOINTS (sizeof(endpoints) / sizeof(*endpoints))

Test(d1_errors, malformed_json)
{
	static const char *const bodies[] = {
		"",     "{",  "}",          "nonsense", "{\"cache_name\":", "{'a'}", "{} {}",
		"[1,2", "\"", "{\"a\":01}", "\xff",     "{\"\xff\":1}"};

	for (size_t i = 0; i < ENDPOINTS; i++)
		for (size_t j = 0; j < sizeof(bodies) / sizeof(*bodies); j++)
			expect_d1_error(
				http_post_json(client, quoted("/api/%s", endpoints[i]), bodies[j]),
				400, "");
}

Test(d1_errors, json_that_is_no_object)
{
	static const char *const bodies[] = {"null", "[]", "5", "\"text\"", "true"};

	for (size_t i = 0; i < ENDPOINTS; i++)
		for (size_t j = 0; j < sizeof(bodies) / sizeof(*bodies); j++)
			expect_d1_error(
				http_post_json(client, quoted("/api/%s", endpoints[i]), bodies[j]),
				400, "object");
}

Test(d1_errors, deeply_nested_json)
{
	char body[20000];

	memset(body, '[', sizeof(body) - 1);
	body[sizeof(body) - 1] = '\0';
	expect_d1_error(http_post_json(client, "/api/get", body), 400, "");
}

Test(d1_errors, missing_and_mistyped_fields_are_named)
{
	static const struct {
		const char *endpoint, *members, *named;
	} cases[] = {
		{"init", "'x':1", "max_size_mb"},
		{"init", "'max_size_mb':'5'", "max_size_mb"},
		{"init", "'max_size_mb':null", "max_size_mb"},
		{"init", "'max_size_mb':true", "max_size_mb"},
		{"init", "'max_size_mb':[1]", "max_size_mb"},
		{"init", "'max_size_mb':-1", "max_size_mb"},
		{"init", "'max_size_mb':1e300", "max_size_mb"},
		{"get", "'x':1", "key"},
		{"get", "'key':5", "key"},
		{"get", "'key':null", "key"},
		{"get", "'key':['k']", "key"},
		{"get", "'key':{}", "key"},
		{"set", "'value':'v','size':1", "key"},
		{"set", "'key':5,'value':'v','size':1", "key"},
		{"set", "'key':'k','size':1", "value"},
		{"set", "'key':'k','value':5,'size':1", "value"},
		{"set", "'key':'k','value':null,'size':1", "value"},
		{"set", "'key':'k','value':{'a':1},'size':1", "value"},
		{"set", "'key':'k','value':'v','size':'1'", "size"},
		{"set", "'key':'k','value':'v','size':-1", "size"},
		{"set", "'key':'k','value':'v','size':[]", "size"},
		{"delete", "'x':1", "key"},
		{"delete", "'key':1.5", "key"},
		{"exists", "'x':1", "key"},
		{"exists", "'key':false", "key"},
		{"batch/get", "'x':1", "keys"},
		{"batch/get", "'keys':'k'", "keys"},
		{"batch/get", "'keys':{'0':'k'}", "keys"},
		{"batch/get", "'keys':['k',5]", "keys"},
		{"batch/get", "'keys':[null]", "keys"},
		{"batch/set", "'x':1", "items"},
		{"batch/set", "'items':'k'", "items"},
		{"batch/set", "'items':{}", "items"},
		{"batch/set", "'items':['k']", "items"},
		{"batch/set", "'items':[null]", "items"},
		{"batch/set", "'items':[{'value':'v','size':1}]", "key"},
		{"batch/set", "'items':[{'key':1,'value':'v','size':1}]", "key"},
		{"batch/set", "'items':[{'key':'k','size':1}]", "value"},
		{"batch/set", "'items':[{'key':'k','value':1,'size':1}]", "value"},
		{"batch/set", "'items':[{'key':'k','value':'v','size':'1'}]", "size"},
		{"batch/delete", "'x':1", "keys"},
		{"batch/delete", "'keys':5", "keys"},
		{"batch/delete", "'keys':['k',5]", "keys"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *members = requoted(cases[i].members);

		expect_d1_error(d1(cases[i].endpoint, "%s", members), 400, cases[i].named);
	}
	cr_assert_eq(d1_stat("entry_count"), 0);
}

Test(d1_errors, cache_name_is_required_and_a_string)
{
	static const char *const bodies[] = {
		"{'key':'k','value':'v','size':1,'keys':[],'items':[],'max_size_mb':1}",
		"{'cache_name':5,'key':'k','value':'v','keys':[],'items':[],'max_size_mb':1}",
		"{'cache_name':null,'key':'k','value':'v','keys':[],'items':[],'max_size_mb':1}",
	};

	for (size_t i = 0; i < ENDPOINTS; i++)
		for (size_t j = 0; j < 3; j++)
			expect_d1_error(http_post_json(client, quoted("/api/%s", endpoints[i]),
						       requoted(bodies[j])),
					400, "cache_name");
}

Test(d1_errors, cache_name_that_is_no_name)
{
	static const char *const names[] = {
		"(select 1 as size, 2 as frequency) as x --",
		"x; drop table sqlite_master",
		"a b",
		"",
		".hidden",
		"-dash",
		"a/b",
		"a'b",
		"a\\\"b",
		"\xc3\xa9t\xc3\xa9",
		"a\\u0000b",
		"a\\n",
		"a%20b",
		"x1234567890123456789012345678901234567890123456789012345678901234",
	};

	for (size_t i = 0; i < ENDPOINTS; i++)
		for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
			expect_d1_error(
				http_post_json(client, quoted("/api/%s", endpoints[i]),
					       quoted("{'cache_name':'%s','key':'k','value':'v',"
						      "'size':1,'keys':[],'items':[],"
						      "'max_size_mb':1}",
						      names[j])),
				400, "cache_name");
}

Test(d1_errors, cache_names_that_are_names)
{
	static const char *const names[] = {
		"_", "9", "A.b-c_d", "a..",
		"x123456789012345678901234567890123456789012345678901234567890123"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		expect_d1(http_post_json(client, "/api/get",
					 quoted("{'cache_name':'%s','key':'%s'}", names[i], ns)),
			  200, "{'found':false}");
}

/* The set-up clears `ns` but need not create it: this is a name that was never used. */
static const char *untouched(const char *members)
{
	return quoted("{'cache_name':'%.50s_untouched'%s}", ns, members);
}

Test(d1_errors, a_cache_never_initialised_answers_as_an_empty_one)
{
	const struct http_answer *answer;
	json_auto_t *stats = NULL;

	expect_d1(http_post_json(client, "/api/get", untouched(",\"key\":\"k\"")), 200,
		  "{'found':false}");
	expect_d1(http_post_json(client, "/api/exists", untouched(",\"key\":\"k\"")), 200,
		  "{'exists':false}");
	expect_d1(http_post_json(client, "/api/batch/get", untouched(",\"keys\":[\"k\"]")), 200,
		  "{'results':{'k':{'found':false}}}");
	expect_d1(http_post_json(client, "/api/delete", untouched(",\"key\":\"k\"")), 200,
		  "{'success':true}");
	expect_d1(http_post_json(client, "/api/batch/delete", untouched(",\"keys\":[\"k\"]")), 200,
		  "{'success':true}");
	expect_d1(http_post_json(client, "/api/clear", untouched("")), 200, "{'success':true}");
	answer = http_post_json(client, "/api/stats", untouched(""));
	expect_status(answer, 200);
	stats = http_json(answer);
	expect_that(answer,
		    json_integer_value(json_object_get(stats, "entry_count")) == 0 &&
			    json_number_value(json_object_get(stats, "total_size")) == 0 &&
			    json_number_value(json_object_get(stats, "avg_frequency")) == 0 &&
			    json_number_value(json_object_get(stats, "max_frequency")) == 0 &&
			    json_number_value(json_object_get(stats, "utilization")) == 0,
		    "expected the statistics of an empty cache");
}

Test(d1_errors, set_creates_a_cache_with_the_default_limit)
{
	const char *name = quoted("%.50s_created", ns);
	const char *stats = quoted("{'cache_name':'%s'}", name);
	const struct http_answer *answer;
	json_auto_t *document = NULL;

	requires_feature("limits");
	expect_d1(
		http_post_json(client, "/api/set",
			       quoted("{'cache_name':'%s','key':'k','value':'v','size':1}", name)),
		200, "{'success':true}");
	answer = http_post_json(client, "/api/stats", stats);
	expect_status(answer, 200);
	document = http_json(answer);
	expect_that(answer,
		    json_integer_value(json_object_get(document, "max_size_bytes")) == 104857600,
		    "expected a limit of 100 MiB");
	expect_status(http_post_json(client, "/api/clear", stats), 200);
}

Test(d1_errors, unknown_paths_are_404_in_json)
{
	static const char *const paths[] = {
		"/api",       "/api/",           "/api/nope",          "/api/get/x",
		"/api/batch", "/api/batch/nope", "/api/batch/exists/", "/api/GET"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		expect_d1_error(http_post_json(client, paths[i], "{}"), 404, "");
}

Test(d1_errors, wrong_methods_are_405_with_allow)
{
	static const char *const methods[] = {"GET", "PUT", "DELETE", "PATCH"};

	for (size_t i = 0; i < ENDPOINTS; i++)
		for (size_t j = 0; j < 4; j++) {
			const struct http_answer *answer =
				http_request(client, methods[j], quoted("/api/%s", endpoints[i]),
					     NO_BODY, HTTP_HEADERS());

			expect_d1_error(answer, 405, "");
			expect_that(answer, list_holds(http_header(answer_, "Allow"), "POST"),
				    "expected Allow with POST");
		}
}

Test(d1_errors, a_refused_request_changes_nothing)
{
	must_set("k", "v");
	expect_status(d1("set", "'key':'k','value':7,'size':1"), 400);
	expect_status(d1("init", "'max_size_mb':'x'"), 400);
	expect_status(d1("batch/delete", "'keys':['k',7]"), 400);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'v'}");
}
