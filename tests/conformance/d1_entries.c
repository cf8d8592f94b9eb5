/* /api/init, get, set, delete, exists, clear, stats: the table of endpoints, one key at a time. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(d1_entries);

Test(d1_entries, init_answers_and_sets_the_limit)
{
	requires_feature("limits");
	expect_d1(d1("init", "'max_size_mb':2"), 200,
		  "{'success':true,'message':'Cache initialized'}");
	cr_assert_eq(d1_stat("max_size_bytes"), 2097152);
}

Test(d1_entries, init_takes_fractions_and_rounds_down)
{
	requires_feature("limits");
	/* 1.1 MiB are 1153433.6 bytes. */
	expect_status(d1("init", "'max_size_mb':1.1"), 200);
	cr_assert_eq(d1_stat("max_size_bytes"), 1153433);
	expect_status(d1("init", "'max_size_mb':0.5"), 200);
	cr_assert_eq(d1_stat("max_size_bytes"), 524288);
	expect_status(d1("init", "'max_size_mb':1e2"), 200);
	cr_assert_eq(d1_stat("max_size_bytes"), 104857600);
}

Test(d1_entries, init_again_keeps_the_entries)
{
	requires_feature("limits");
	expect_status(d1("init", "'max_size_mb':1"), 200);
	must_set("k", "v");
	expect_status(d1("init", "'max_size_mb':3"), 200);
	cr_assert_eq(d1_stat("max_size_bytes"), 3145728);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'v'}");
}

Test(d1_entries, get_of_an_absent_key)
{
	expect_d1(d1("get", "'key':'absent'"), 200, "{'found':false}");
	must_set("present", "v");
	expect_d1(d1("get", "'key':'absent'"), 200, "{'found':false}");
}

Test(d1_entries, set_and_get)
{
	expect_d1(d1("set", "'key':'k','value':'gASVBQAAAAAAAACMAXaULg==','size':24"), 200,
		  "{'success':true}");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'gASVBQAAAAAAAACMAXaULg=='}");
}

Test(d1_entries, set_replaces)
{
	must_set("k", "first");
	must_set("k", "second, longer");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'second, longer'}");
	cr_assert_eq(d1_stat("entry_count"), 1);
	cr_assert_eq(d1_stat("total_size"), 14);
}

Test(d1_entries, an_empty_value_is_a_value)
{
	expect_d1(d1("set", "'key':'k','value':'','size':0"), 200, "{'success':true}");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':''}");
}

Test(d1_entries, the_order_of_members_does_not_matter_and_others_are_ignored)
{
	const char *body = quoted("{ 'size' : 1 , 'extra':[1,{}], 'value':'v',\n'key':'k',"
				  "'cache_name':'%s' }",
				  ns);

	expect_d1(http_post_json(client, "/api/set", body), 200, "{'success':true}");
	expect_d1(d1("get", "'extra':null,'key':'k'"), 200, "{'found':true,'value':'v'}");
}

Test(d1_entries, the_request_content_type_is_not_checked)
{
	struct slice body = slice_of(quoted("{'cache_name':'%s','key':'k'}", ns));

	must_set("k", "v");
	expect_d1(http_post(client, "/api/get", body), 200, "{'found':true,'value':'v'}");
	expect_d1(http_post(client, "/api/get", body, "Content-Type: text/plain"), 200,
		  "{'found':true,'value':'v'}");
	expect_d1(http_post(client, "/api/get", body,
			    "Content-Type: application/x-www-form-urlencoded"),
		  200, "{'found':true,'value':'v'}");
}

Test(d1_entries, delete_works_and_tells_success_for_absent_keys_too)
{
	must_set("k", "v");
	must_set("other", "v");
	expect_d1(d1("delete", "'key':'k'"), 200, "{'success':true}");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':false}");
	expect_d1(d1("get", "'key':'other'"), 200, "{'found':true,'value':'v'}");
	expect_d1(d1("delete", "'key':'k'"), 200, "{'success':true}");
	cr_assert_eq(d1_stat("entry_count"), 1);
	cr_assert_eq(d1_stat("total_size"), 1);
}

Test(d1_entries, exists)
{
	expect_d1(d1("exists", "'key':'k'"), 200, "{'exists':false}");
	must_set("k", "v");
	expect_d1(d1("exists", "'key':'k'"), 200, "{'exists':true}");
	expect_d1(d1("delete", "'key':'k'"), 200, "{'success':true}");
	expect_d1(d1("exists", "'key':'k'"), 200, "{'exists':false}");
}

Test(d1_entries, a_new_entry_has_frequency_1_and_each_get_and_overwrite_adds_1)
{
	requires_feature("uses");
	requires_feature("one-server");
	must_set("k", "v");
	cr_assert_eq(d1_stat("max_frequency"), 1);
	for (int i = 0; i < 3; i++)
		expect_status(d1("get", "'key':'k'"), 200);
	cr_assert_eq(d1_stat("max_frequency"), 4);
	must_set("k", "w");
	cr_assert_eq(d1_stat("max_frequency"), 5);
	must_set("other", "v");
	cr_assert_eq(d1_stat("max_frequency"), 5);
	cr_assert_eq(d1_stat("avg_frequency"), 3);
}

Test(d1_entries, exists_is_not_a_use)
{
	requires_feature("uses");
	must_set("k", "v");
	for (int i = 0; i < 5; i++)
		cr_assert(must_exist_or_not("k"));
	cr_assert_eq(d1_stat("max_frequency"), 1);
}

Test(d1_entries, delete_forgets_the_frequency)
{
	requires_feature("uses");
	requires_feature("one-server");
	must_set("k", "v");
	expect_status(d1("get", "'key':'k'"), 200);
	expect_status(d1("delete", "'key':'k'"), 200);
	must_set("k", "v");
	cr_assert_eq(d1_stat("max_frequency"), 1);
}

Test(d1_entries, clear_empties_and_keeps_the_limit)
{
	requires_feature("limits");
	must_init_bytes(100000);
	must_set("a", "1");
	must_set("b", "2");
	expect_d1(d1("clear", " "), 200, "{'success':true}");
	expect_d1(d1("get", "'key':'a'"), 200, "{'found':false}");
	cr_assert_eq(d1_stat("entry_count"), 0);
	cr_assert_eq(d1_stat("total_size"), 0);
	cr_assert_eq(d1_stat("max_size_bytes"), 100000);
	must_set("a", "3");
	cr_assert_eq(d1_stat("max_frequency"), 1);
}

Test(d1_entries, caches_do_not_see_each_other)
{
	char other[65];
	struct slice get, clear;

	(void)snprintf(other, sizeof(other), "%.60s.2", ns);
	get = slice_of(quoted("{'cache_name':'%s','key':'k'}", other));
	clear = slice_of(quoted("{'cache_name':'%s'}", other));
	must_set("k", "mine");
	expect_d1(http_post(client, "/api/get", get), 200, "{'found':false}");
	expect_d1(http_post(client, "/api/clear", clear), 200, "{'success':true}");
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'mine'}");
}

Test(d1_entries, stats_fields_in_their_order)
{
	static const char *const names[] = {"entry_count",   "total_size",     "avg_frequency",
					    "max_frequency", "max_size_bytes", "utilization"};
	const struct http_answer *answer;
	json_t *stats, *value;
	const char *name;
	size_t i = 0;

	requires_feature("limits");
	must_init_bytes(100000);
	must_set_sized("a", 100, 100);
	must_set_sized("b", 150, 150);
	expect_status(d1("get", "'key':'a'"), 200);
	answer = d1("stats", " ");
	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "application/json; charset=UTF-8");
	expect_that(answer, !strpbrk(answer->body, " \n"), "expected compact JSON");
	stats = http_json(answer);
	expect_that(answer, json_object_size(stats) >= 6, "expected six fields or more");
	json_object_foreach(stats, name, value)
	{
		if (i < 6)
			expect_that(answer, strcmp(name, names[i]) == 0, "expected %s as field %zu",
				    names[i], i);
		i++;
	}
	json_decref(stats);
	cr_assert_eq(d1_stat("entry_count"), 2);
	cr_assert_eq(d1_stat("total_size"), 250);
	cr_assert_float_eq(d1_stat("avg_frequency"), 1.5, 1e-9);
	cr_assert_eq(d1_stat("max_frequency"), 2);
	cr_assert_eq(d1_stat("max_size_bytes"), 100000);
	cr_assert_float_eq(d1_stat("utilization"), 0.0025, 1e-9);
}

Test(d1_entries, total_size_is_the_sum_of_the_sizes_sent)
{
	requires_feature("limits");
	must_init_bytes(100000);
	must_set_sized("a", 10, 1000);
	must_set_sized("b", 10, 500);
	cr_assert_eq(d1_stat("total_size"), 1500);
	must_set_sized("a", 10, 20);
	cr_assert_eq(d1_stat("total_size"), 520);
}

Test(d1_entries, pretty_indents_by_two_spaces)
{
	struct slice get = slice_of(quoted("{'cache_name':'%s','key':'k'}", ns));
	struct slice many = slice_of(quoted("{'cache_name':'%s','keys':['k','z']}", ns));
	static const char *const targets[] = {"/api/get?pretty",
					      "/api/get?pretty=", "/api/get?&pretty=true"};

	must_set("k", "v");
	for (size_t i = 0; i < 3; i++)
		expect_d1(http_post(client, targets[i], get), 200,
			  "{\n  'found': true,\n  'value': 'v'\n}");
	expect_d1(
		http_post(client, "/api/batch/get?pretty", many), 200,
		"{\n  'results': {\n    'k': {\n      'found': true,\n      'value': 'v'\n    },\n"
		"    'z': {\n      'found': false\n    }\n  }\n}");
	expect_d1(http_post(client, "/api/get", get), 200, "{'found':true,'value':'v'}");
}
