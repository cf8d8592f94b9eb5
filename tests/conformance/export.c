/* GET /export and POST /import. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>

static void open_export(void)
{
	conformance_open();
	requires_feature("export");
}

TestSuite(export, .init = open_export, .fini = conformance_close, .timeout = SUITE_TIMEOUT_S);

/* The export of the test's namespace. */
static const struct http_answer *export_all(const char *rest)
{
	const struct http_answer *answer =
		http_get(client, quoted("/export?namespace=%s%s", ns, rest));

	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "application/x-ndjson");
	return answer;
}

static const struct http_answer *import(const char *query, const char *lines)
{
	return http_post(client, quoted("/import%s", query), slice_of(lines),
			 "Content-Type: application/x-ndjson");
}

static json_t *line_with(const struct http_answer *answer, const char *member, const char *value)
{
	char *copy = strdup(answer->body), *rest = NULL;
	json_t *found = NULL;

	for (char *line = strtok_r(copy, "\n", &rest); line && !found;
	     line = strtok_r(NULL, "\n", &rest)) {
		json_t *object = json_loads(line, JSON_ALLOW_NUL, NULL);
		const json_t *got = json_object_get(object, member);

		cr_assert_not_null(object, "no JSON: %s", line);
		if (got && (!value || http_text_equal(json_string_value(got), value)))
			found = object;
		else
			json_decref(object);
	}
	free(copy);
	return found;
}

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static void expect_number(const json_t *object, const char *member, double expected)
{
	double got = json_number_value(json_object_get(object, member));

	cr_expect_float_eq(got, expected, 1e-6, "%s is %f, not %f", member, got, expected);
}

Test(export, is_lines_with_a_beginning_and_an_end)
{
	const struct http_answer *answer;

	must_set("a", "1");
	(void)http_put(client, entry_path("b%FF"), SLICE("\xff\xfe"), "Content-Type: image/x");
	answer = export_all("");
	json_auto_t *a = line_with(answer, "key", "a");
	json_auto_t *b = line_with(answer, "key_base64", "Yv8=");
	json_auto_t *end = line_with(answer, "complete", NULL);
	json_auto_t *cursor = line_with(answer, "cursor", NULL);
	expect_that(answer, strncmp(answer->body, "{\"steadycache_export\":1,", 24) == 0,
		    "expected the line of the format first");
	expect_that(answer, a && b && end && cursor, "expected two entries, a cursor and an end");
	cr_expect_str_eq(text_of(a, "namespace"), ns);
	cr_expect_str_eq(text_of(a, "value"), "1");
	cr_expect_str_eq(text_of(a, "content_type"), "text/plain; charset=utf-8");
	cr_expect(json_is_null(json_object_get(a, "expires_at")));
	cr_expect_str_eq(text_of(b, "value_base64"), "//4=");
	cr_expect_str_eq(text_of(b, "content_type"), "image/x");
	cr_expect(json_is_true(json_object_get(end, "complete")));
	expect_number(end, "entries", 2);
	expect_number(a, "frequency", 1);
	expect_number(a, "last_access", listed_number("a", "last_access"));
	expect_number(a, "created_at", listed_number("a", "created_at"));
	/* The export did not count as a use. */
	cr_expect_float_eq(listed_number("a", "frequency"), 1, 0);
	answer = export_all("&prefix=b");
	json_auto_t *none = line_with(answer, "key", "a");
	json_auto_t *some = line_with(answer, "key_base64", NULL);
	expect_that(answer, !none && some, "expected the keys of the prefix only");
}

Test(export, goes_on_behind_a_cursor)
{
	const struct http_answer *answer;

	must_set("a", "1");
	must_set("b", "2");
	json_auto_t *cursor = line_with(export_all(""), "cursor", NULL);
	answer = export_all(quoted("&cursor=%s", text_of(cursor, "cursor")));
	json_auto_t *a = line_with(answer, "key", NULL);
	json_auto_t *end = line_with(answer, "complete", NULL);
	expect_that(answer, !a && end, "expected the entries behind the cursor only");
	expect_problem(http_get(client, quoted("/export?namespace=%s&cursor=%%21", ns)), 400,
		       "cursor");
	expect_problem(http_get(client, quoted("/export?namespace=%s&cursor=AAAA", ns)), 400,
		       "cursor");
	expect_problem(http_get(client, "/export?namespace=.x"), 400, "namespace");
	expect_problem(http_get(client, "/export?prefix=%ZZ"), 400, "prefix");
	expect_header(http_post(client, "/export", SLICE("")), "Allow", "GET, HEAD, OPTIONS");
	expect_header(http_get(client, "/import"), "Allow", "POST, OPTIONS");
}

Test(export, has_headers_alone_for_head)
{
	struct raw_socket raw;

	requires_feature("export");
	requires_feature("raw");
	cr_assert(raw_open(&raw, server_url), "cannot connect to %s", server_url);
	(void)raw_send_text(&raw, "HEAD /export HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n",
			    api_key ? "Authorization: Bearer " : "", api_key ? api_key : "",
			    api_key ? "\r\n" : "");
	cr_assert(raw_await_close(&raw, 20000), "the connection stays open");
	const char *end = strstr(raw.received, "\r\n\r\n");
	cr_assert(end && end[4] == '\0', "more than headers: %s", raw.received);
	raw_close(&raw);
}

Test(import, stops_before_a_format_it_does_not_know_and_keeps_what_came_before)
{
	requires_feature("export");
	const char *lines = quoted("{'steadycache_export':1}\n"
				   "{'namespace':'%s','key':'a','value':'1'}\n"
				   "{'steadycache_export':9}\n"
				   "{'namespace':'%s','key':'b','value':'2'}\n",
				   ns, ns);
	const struct http_answer *answer = http_post(client, "/import", slice_of(lines));
	json_auto_t *report = NULL;

	expect_status(answer, 200);
	report = http_json(answer);
	cr_expect_eq(json_integer_value(json_object_get(report, "imported")), 1);
	cr_expect_eq(json_integer_value(json_object_get(report, "failed")), 1);
	cr_expect(json_is_false(json_object_get(report, "complete")));
	expect_status(http_get(client, entry_path("a")), 200);
	expect_status(http_get(client, entry_path("b")), 404);
}

Test(import, keeps_what_there_was)
{
	requires_feature("export");
	const char *lines =
		quoted("{'steadycache_export':1,'server_version':'x','created_at':1.5}\n"
		       "{'namespace':'%s','key':'k','value':'v \\u0000 w','content_type':'text/x',"
		       "'frequency':9,'last_access':1700000000.5,'created_at':1600000000.25,"
		       "'expires_at':4102444800}\n"
		       "\n"
		       "{'namespace':'%s','key_base64':'Yv8=','value_base64':'//4=','later':[1]}\n"
		       "{'namespace':'%s','key':'old','value':'v','expires_at':1.5}\n"
		       "{'cursor':'x'}\n"
		       "{'complete':true,'entries':3}",
		       ns, ns, ns);

	expect_json_text(import("", lines),
			 "{'imported':2,'failed':0,'expired':1,'history_left_out':0,'errors':[],"
			 "'errors_left_out':0,'complete':true}");
	cr_expect_float_eq(listed_number("k", "frequency"), 9, 0);
	cr_expect_float_eq(listed_number("k", "last_access"), 1700000000.5, 1e-6);
	cr_expect_float_eq(listed_number("k", "created_at"), 1600000000.25, 1e-6);
	cr_expect_float_eq(listed_number("k", "expires_at"), 4102444800, 1e-6);
	expect_status(http_get(client, entry_path("old")), 404);
	expect_header(http_get(client, entry_path("k")), "Content-Type", "text/x");
	expect_body(http_get(client, entry_path("k")), SLICE("v \0 w"));
	expect_body(http_get(client, entry_path("b%FF")), SLICE("\xff\xfe"));
}

Test(import, tells_which_lines_are_bad)
{
	requires_feature("export");
	const char *lines = quoted(
		"{'namespace':'%s','key':'a','value':'1'}\nnonsense\n{'namespace':'%s','key':'b'}\n"
		"{'namespace':'-','key':'b','value':''}\n"
		"{'namespace':'%s','key':'b','value':'1','frequency':-1}\n"
		"{'namespace':'%s','key':'b','value':'1','created_at':'x'}\n"
		"{'namespace':'%s','key_base64':'*','value':''}\n"
		"{'namespace':'%s','key':'c','value':'2'}\n",
		ns, ns, ns, ns, ns, ns);
	const struct http_answer *answer = import("?on_error=continue", lines);
	json_auto_t *document = http_json(answer);
	const json_t *errors = json_object_get(document, "errors");

	expect_status(answer, 200);
	expect_number(document, "imported", 2);
	expect_number(document, "failed", 6);
	expect_that(answer, json_array_size(errors) == 6, "expected six errors");
	for (size_t i = 0; i < 6; i++)
		expect_number(json_array_get(errors, i), "line", (double)i + 2);
	cr_expect(json_is_false(json_object_get(document, "complete")));
	expect_status(http_get(client, entry_path("c")), 200);
}

/* Two exports in one body, the second of which is cut off, or lacks its first and last lines. */
Test(import, is_complete_only_where_the_last_export_is)
{
	requires_feature("export");
	static const struct {
		const char *lines;
		bool is_complete;
	} cases[] = {
		{"{'key':'a','value':'1'}\n{'complete':true,'entries':1}\n\n", true},
		{"{'complete':true,'entries':0}\n{'steadycache_export':1}\n", false},
		{"{'complete':true,'entries':0}\n{'key':'b','value':'2'}\n", false},
		{"{'complete':true,'entries':0}\n{'key':'b','val", false},
		{"{'complete':true,'entries':0}\n{'cursor':'x'}\n", false},
		{"{'complete':true,'entries':0}\n{'key':'b','value':'2'}\n"
		 "{'complete':true,'entries':1}",
		 true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct http_answer *answer =
			import(quoted("?namespace=%s", ns), requoted(cases[i].lines));
		json_auto_t *document = http_json(answer);

		expect_that(answer,
			    json_is_true(json_object_get(document, "complete")) ==
				    cases[i].is_complete,
			    "expected the contrary of case %zu", i);
	}
}

Test(import, stops_at_the_first_on_request)
{
	requires_feature("export");
	const char *lines = quoted("{'namespace':'x','key':'a','value':'1'}\n{}\n{}\n"
				   "{'namespace':'x','key':'c','value':'2'}\n"
				   "{'complete':true,'entries':3}\n");
	const struct http_answer *answer = import(quoted("?on_error=stop&namespace=%s", ns), lines);
	json_auto_t *document = http_json(answer);

	expect_number(document, "imported", 1);
	expect_number(document, "failed", 1);
	cr_expect(json_is_false(json_object_get(document, "complete")));
	expect_status(http_get(client, entry_path("a")), 200);
	expect_status(http_get(client, entry_path("c")), 404);
}

Test(import, may_leave_alone_what_is_there)
{
	requires_feature("export");
	requires_feature("conditions");
	const char *lines =
		quoted("{'namespace':'%s','key':'k','value':'other','modified_at':1700000000.5}\n"
		       "{'namespace':'%s','key':'absent','value':'v','modified_at':1700000000.5}\n",
		       ns, ns);
	const char *later = quoted("{'namespace':'%s','key':'k','value':'later',"
				   "'modified_at':4102444800.5}\n",
				   ns);

	expect_status(http_put(client, entry_path("k"), SLICE("mine")), 201);
	expect_json_text(import("?existing=newer", lines),
			 "{'imported':1,'kept':1,'failed':0,'expired':0,'history_left_out':0,"
			 "'errors':[],'errors_left_out':0,'complete':false}");
	expect_body(http_get(client, entry_path("k")), SLICE("mine"));
	expect_body(http_get(client, entry_path("absent")), SLICE("v"));
	json_auto_t *kept = http_json(import("?existing=keep", later));
	expect_number(kept, "kept", 1);
	json_auto_t *newer = http_json(import("?existing=newer", later));
	expect_number(newer, "imported", 1);
	expect_number(newer, "kept", 0);
	expect_body(http_get(client, entry_path("k")), SLICE("later"));
	expect_problem(import("?existing=never", "\n"), 400, "existing");
}

Test(import, refuses_what_it_does_not_know)
{
	requires_feature("export");
	expect_problem(import("", "{\"steadycache_export\":2}\n"), 400, "format");
	expect_problem(import("?on_error=never", "\n"), 400, "on_error");
	expect_problem(import("?namespace=-", "\n"), 400, "namespace");
	expect_json_text(import("", ""),
			 "{'imported':0,'failed':0,'expired':0,'history_left_out':0,'errors':[],"
			 "'errors_left_out':0,'complete':false}");
}

CONFORMANCE_SUITE(import);
