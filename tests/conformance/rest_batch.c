/* POST /batch/{ns}/get, set, delete, exists. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CONFORMANCE_SUITE(rest_batch);

/* Expects the result of `key` to begin with these members; a server may add more of an entry. */
static void expect_found(const struct http_answer *answer, const char *key, const char *value,
			 const char *encoding)
{
	json_auto_t *document = http_json(answer);
	const json_t *result = json_object_get(json_object_get(document, "results"), key);

	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "application/json; charset=UTF-8");
	expect_that(answer,
		    json_is_true(json_object_get(result, "found")) &&
			    http_text_equal(json_string_value(json_object_get(result, "value")),
					    value) &&
			    http_text_equal(json_string_value(json_object_get(result, "encoding")),
					    encoding),
		    "expected %s to be found with the value %s in %s", key, value,
		    encoding ? encoding : "no encoding");
}

Test(rest_batch, set_and_get)
{
	const struct http_answer *answer;
	const char *a, *b, *z;

	expect_d1(
		batch("set", "'items':[{'key':'a','value':'1'},{'key':'b','value':'2','size':1}]"),
		200, "{'success':true}");
	answer = batch("get", "'keys':['b','z','a','b']");
	expect_found(answer, "a", "1", NULL);
	expect_found(answer, "b", "2", NULL);
	a = strstr(answer->body, "\"a\":{");
	b = strstr(answer->body, "\"b\":{");
	z = strstr(answer->body, "\"z\":{\"found\":false}");
	expect_that(answer, a && b && z && b < z && z < a, "expected the order of the request");
	expect_d1(batch("get", "'keys':[]"), 200, "{'results':{}}");
	expect_d1(batch("set", "'items':[]"), 200, "{'success':true}");
}

Test(rest_batch, exists)
{
	requires_feature("uses");
	must_set("a", "1");
	expect_d1(batch("exists", "'keys':['a','z']"), 200,
		  "{'results':{'a':{'exists':true},'z':{'exists':false}}}");
	cr_assert_eq(d1_stat("max_frequency"), 1);
}

Test(rest_batch, delete)
{
	must_set("a", "1");
	must_set("b", "2");
	expect_d1(batch("delete", "'keys':['a','z']"), 200, "{'success':true}");
	expect_d1(batch("exists", "'keys':['a','b']"), 200,
		  "{'results':{'a':{'exists':false},'b':{'exists':true}}}");
}

Test(rest_batch, items_may_have_a_ttl)
{
	const struct http_answer *answer;

	expect_d1(batch("set", "'items':[{'key':'a','value':'1','ttl':1000},"
			       "{'key':'b','value':'2','ttl':0},{'key':'c','value':'3'}]"),
		  200, "{'success':true}");
	answer = http_get(client, entry_path("a"));
	expect_that(answer,
		    http_header(answer_, "Cache-Control") &&
			    strstr(http_header(answer_, "Cache-Control"), "max-age="),
		    "expected max-age");
	expect_header(http_get(client, entry_path("b")), "Cache-Status", "steadycache; hit");
	expect_header(http_get(client, entry_path("c")), "Cache-Status", "steadycache; hit");
}

Test(rest_batch, items_may_have_a_content_type)
{
	expect_d1(batch("set",
			"'items':[{'key':'a','value':'{}','content_type':'application/json'},"
			"{'key':'b','value':'x'}]"),
		  200, "{'success':true}");
	expect_header(http_get(client, entry_path("a")), "Content-Type", "application/json");
	expect_header(http_get(client, entry_path("b")), "Content-Type",
		      "text/plain; charset=utf-8");
}

Test(rest_batch, base64_brings_any_bytes_in_and_out)
{
	expect_d1(batch("set", "'items':[{'key':'a','value':'/wD+','encoding':'base64'},"
			       "{'key':'b','value':'aGVsbG8=','encoding':'base64'},"
			       "{'key':'c','value':'','encoding':'base64'}]"),
		  200, "{'success':true}");
	expect_body(http_get(client, entry_path("a")), SLICE("\xff\0\xfe"));
	expect_body(http_get(client, entry_path("b")), SLICE("hello"));
	expect_body(http_get(client, entry_path("c")), SLICE(""));
	expect_found(batch("get", "'keys':['a','b']"), "a", "/wD+", "base64");
	expect_found(batch("get", "'keys':['a','b']"), "b", "hello", NULL);
	/* The stored bytes count, not their encoding on the way. */
	cr_assert_eq(d1_stat("total_size"), 8);
}

Test(rest_batch, a_value_that_is_not_utf8_comes_in_base64_through_api_too)
{
	const struct http_answer *answer;

	expect_status(http_put(client, entry_path("k"), SLICE("\xff\xfe")), 201);
	answer = d1("batch/get", "'keys':['k']");
	expect_status(answer, 200);
	expect_that(answer, strstr(answer_->body, "\"//4=\"") != NULL, "expected \"//4=\"");
}

Test(rest_batch, refused)
{
	static const struct {
		const char *endpoint, *members, *named;
	} cases[] = {
		{"get", "'x':1", "keys"},
		{"get", "'keys':5", "keys"},
		{"get", "'keys':[5]", "keys"},
		{"exists", "'keys':{}", "keys"},
		{"exists", "'keys':[null]", "keys"},
		{"delete", "'keys':'k'", "keys"},
		{"set", "'x':1", "items"},
		{"set", "'items':[5]", "items"},
		{"set", "'items':[{'value':'v'}]", "key"},
		{"set", "'items':[{'key':'k'}]", "value"},
		{"set", "'items':[{'key':'k','value':5}]", "value"},
		{"set", "'items':[{'key':'k','value':'v','ttl':-1}]", "ttl"},
		{"set", "'items':[{'key':'k','value':'v','ttl':'1'}]", "ttl"},
		{"set", "'items':[{'key':'k','value':'v','ttl':1.5}]", "ttl"},
		{"set", "'items':[{'key':'k','value':'v','content_type':5}]", "content_type"},
		{"set", "'items':[{'key':'k','value':'v','content_type':'a\\u000ab'}]",
		 "content_type"},
		{"set", "'items':[{'key':'k','value':'v','encoding':'hex'}]", "encoding"},
		{"set", "'items':[{'key':'k','value':'v','encoding':1}]", "encoding"},
		{"set", "'items':[{'key':'k','value':'a','encoding':'base64'}]", "base64"},
		{"set", "'items':[{'key':'k','value':'!!!!','encoding':'base64'}]", "base64"},
		{"set", "'items':[{'key':'k','value':'YQ==YQ==','encoding':'base64'}]", "base64"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		expect_problem(batch(cases[i].endpoint, "%s", requoted(cases[i].members)), 400,
			       cases[i].named);
	cr_assert_eq(d1_stat("entry_count"), 0);
}

Test(rest_batch, all_or_none)
{
	requires_feature("limits");
	requires_feature("atomic-batches");
	must_init_bytes(1000);
	expect_problem(batch("set", "'items':[{'key':'a','value':'1'},"
				    "{'key':'b','value':'2','size':1001}]"),
		       413, "");
	cr_assert_eq(d1_stat("entry_count"), 0);
}

/* Of several partitions, each stores all or none of its items, and the answer tells what was not.
 */
Test(rest_batch, what_is_not_stored_is_named)
{
	const struct http_answer *answer;
	const json_t *failed, *key;
	json_auto_t *document = NULL;
	char items[2048] = "{'key':'large','value':'v','size':1000001}";
	size_t i;

	if (!lacks_feature("atomic-batches"))
		cr_skip("batches are all or none");
	must_init_bytes(1000000);
	for (unsigned k = 0; k < 40; k++)
		(void)snprintf(items + strlen(items), sizeof(items) - strlen(items),
			       ",{'key':'k%u','value':'v'}", k);
	answer = batch("set", "'items':[%s]", requoted(items));
	expect_problem(answer, 413, "partition");
	document = http_json(answer);
	failed = json_object_get(document, "failed");
	cr_assert_geq(json_array_size(failed), 1);
	cr_assert_eq(d1_stat("entry_count"), (double)(41 - json_array_size(failed)));
	cr_assert_gt(d1_stat("entry_count"), 0);
	json_array_foreach(failed, i, key) cr_assert_not(must_exist_or_not(json_string_value(key)),
							 "%s", json_string_value(key));
}

Test(rest_batch, unknown_operations_and_methods)
{
	const struct http_answer *answer;

	expect_problem(batch("nope", "'keys':[]"), 404, "");
	expect_problem(http_post_json(client, quoted("/batch/%s", ns), "{}"), 404, "");
	answer = http_get(client, quoted("/batch/%s/get", ns));
	expect_problem(answer, 405, "");
	expect_that(answer, list_holds(http_header(answer_, "Allow"), "POST"), "expected POST");
}

Test(rest_batch, pretty)
{
	must_set("k", "v");
	expect_d1(
		http_post_json(client, quoted("/batch/%s/exists?pretty", ns), "{\"keys\":[\"k\"]}"),
		200, "{\n  'results': {\n    'k': {\n      'exists': true\n    }\n  }\n}");
}
