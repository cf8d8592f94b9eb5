/* /api/batch/get, set and delete. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>

CONFORMANCE_SUITE(d1_batch);

Test(d1_batch, get_answers_per_key_in_the_order_asked)
{
	must_set("k", "v");
	must_set("b", "2");
	expect_d1(d1("batch/get", "'keys':['k','z']"), 200,
		  "{'results':{'k':{'found':true,'value':'v'},'z':{'found':false}}}");
	expect_d1(d1("batch/get", "'keys':['z','k','b']"), 200,
		  "{'results':{'z':{'found':false},'k':{'found':true,'value':'v'},"
		  "'b':{'found':true,'value':'2'}}}");
}

Test(d1_batch, get_of_a_key_asked_twice_appears_once)
{
	must_set("k", "v");
	expect_d1(d1("batch/get", "'keys':['k','k','z','k','z']"), 200,
		  "{'results':{'k':{'found':true,'value':'v'},'z':{'found':false}}}");
}

Test(d1_batch, get_of_nothing)
{
	expect_d1(d1("batch/get", "'keys':[]"), 200, "{'results':{}}");
}

Test(d1_batch, get_counts_as_a_use)
{
	requires_feature("uses");
	requires_feature("one-server");
	must_set("a", "1");
	must_set("b", "2");
	expect_status(d1("batch/get", "'keys':['a','b']"), 200);
	expect_status(d1("batch/get", "'keys':['a','absent']"), 200);
	cr_assert_eq(d1_stat("max_frequency"), 3);
	cr_assert_float_eq(d1_stat("avg_frequency"), 2.5, 1e-9);
}

Test(d1_batch, set_stores_all_items)
{
	requires_feature("uses");
	expect_d1(d1("batch/set",
		     "'items':[{'key':'a','value':'1','size':1},"
		     "{'key':'b','value':'22','size':2},{'key':'c','value':'','size':0}]"),
		  200, "{'success':true}");
	expect_d1(d1("batch/get", "'keys':['a','b','c']"), 200,
		  "{'results':{'a':{'found':true,'value':'1'},'b':{'found':true,'value':'22'},"
		  "'c':{'found':true,'value':''}}}");
	cr_assert_eq(d1_stat("entry_count"), 3);
	cr_assert_eq(d1_stat("total_size"), 3);
	if (!lacks_feature("one-server"))
		cr_assert_eq(d1_stat("max_frequency"), 2); /* the batch, then the get */
}

Test(d1_batch, set_of_nothing_is_a_success)
{
	expect_d1(d1("batch/set", "'items':[]"), 200, "{'success':true}");
}

Test(d1_batch, of_two_items_with_one_key_the_later_wins)
{
	expect_d1(d1("batch/set", "'items':[{'key':'k','value':'first','size':5},"
				  "{'key':'x','value':'x','size':1},"
				  "{'key':'k','value':'second!','size':7}]"),
		  200, "{'success':true}");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'second!'}");
	cr_assert_eq(d1_stat("entry_count"), 2);
	cr_assert_eq(d1_stat("total_size"), 8);
}

Test(d1_batch, set_overwrites_and_counts_a_use)
{
	requires_feature("uses");
	requires_feature("one-server");
	must_set("k", "old");
	expect_d1(d1("batch/set", "'items':[{'key':'k','value':'new','size':3}]"), 200,
		  "{'success':true}");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'new'}");
	cr_assert_eq(d1_stat("max_frequency"), 3);
}

Test(d1_batch, set_with_one_bad_item_stores_none)
{
	expect_d1_error(d1("batch/set", "'items':[{'key':'a','value':'1','size':1},"
					"{'key':'b','value':2,'size':1}]"),
			400, "value");
	cr_assert_not(must_exist_or_not("a"));
	cr_assert_not(must_exist_or_not("b"));
}

Test(d1_batch, set_with_one_item_over_the_limit_stores_none)
{
	requires_feature("limits");
	requires_feature("atomic-batches");
	must_init_bytes(1000);
	must_set("kept", "v");
	expect_d1_error(d1("batch/set", "'items':[{'key':'a','value':'1','size':1},"
					"{'key':'b','value':'2','size':1001}]"),
			413, "");
	cr_assert_not(must_exist_or_not("a"));
	cr_assert_not(must_exist_or_not("b"));
	cr_assert(must_exist_or_not("kept"));
}

Test(d1_batch, delete_takes_present_and_absent_keys)
{
	must_set("a", "1");
	must_set("b", "2");
	must_set("c", "3");
	expect_d1(d1("batch/delete", "'keys':['a','absent','c','a']"), 200, "{'success':true}");
	expect_d1(d1("batch/get", "'keys':['a','b','c']"), 200,
		  "{'results':{'a':{'found':false},'b':{'found':true,'value':'2'},"
		  "'c':{'found':false}}}");
	expect_d1(d1("batch/delete", "'keys':[]"), 200, "{'success':true}");
	cr_assert_eq(d1_stat("entry_count"), 1);
	cr_assert_eq(d1_stat("total_size"), 1);
}

Test(d1_batch, a_key_named_proto_is_an_ordinary_key)
{
	must_set("__proto__", "v");
	must_set("constructor", "c");
	expect_d1(d1("batch/get", "'keys':['__proto__','constructor','toString']"), 200,
		  "{'results':{'__proto__':{'found':true,'value':'v'},"
		  "'constructor':{'found':true,'value':'c'},'toString':{'found':false}}}");
}

/* {"items":[...]} or {"keys":[...]} of `count` keys; to be freed. */
static char *many(const char *member, size_t count, bool items)
{
	char *json = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&json, &len);

	(void)fprintf(out, "{\"cache_name\":\"%s\",\"%s\":[", ns, member);
	for (size_t i = 0; i < count; i++)
		if (items)
			(void)fprintf(out,
				      "%s{\"key\":\"key %zu\",\"value\":\"value %zu\",\"size\":%d}",
				      i ? "," : "", i, i, 12);
		else
			(void)fprintf(out, "%s\"key %zu\"", i ? "," : "", i);
	(void)fputs("]}", out);
	(void)fclose(out);
	return json;
}

Test(d1_batch, ten_thousand_items_in_one_request)
{
	char *items = many("items", 10000, true), *keys = many("keys", 10000, false);
	const struct http_answer *answer;
	json_t *document, *results;

	requires_feature("large-batches");
	expect_d1(http_post_json(client, "/api/batch/set", items), 200, "{'success':true}");
	answer = http_post_json(client, "/api/batch/get", keys);
	expect_status(answer, 200);
	document = http_json(answer);
	results = json_object_get(document, "results");
	cr_assert_eq(json_object_size(results), 10000);
	for (size_t i = 0; i < 10000; i++) {
		const json_t *result = json_object_get(results, quoted("key %zu", i));
		const char *value = json_string_value(json_object_get(result, "value"));

		cr_assert(value && strcmp(value, quoted("value %zu", i)) == 0, "key %zu", i);
	}
	json_decref(document);
	expect_d1(http_post_json(client, "/api/batch/delete", keys), 200, "{'success':true}");
	cr_assert_eq(d1_stat("entry_count"), 0);
	free(items);
	free(keys);
}

Test(d1_batch, more_keys_than_the_limit_are_refused)
{
	char *items = many("items", 10001, true), *keys = many("keys", 10001, false);

	expect_d1_error(http_post_json(client, "/api/batch/set", items), 413, "10000");
	expect_d1_error(http_post_json(client, "/api/batch/get", keys), 413, "10000");
	expect_d1_error(http_post_json(client, "/api/batch/delete", keys), 413, "10000");
	cr_assert_eq(d1_stat("entry_count"), 0);
	free(items);
	free(keys);
}
