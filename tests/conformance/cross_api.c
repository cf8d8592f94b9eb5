/* One store behind two APIs: a value set through one is read through the other. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(cross_api);

Test(cross_api, set_through_api_read_through_rest)
{
	const struct http_answer *answer;

	must_set("k", "\\u00e9 v");
	answer = http_get(client, entry_path("k"));
	expect_status(answer, 200);
	expect_body(answer, SLICE("\xc3\xa9 v"));
	expect_header(answer, "Content-Type", "text/plain; charset=utf-8");
	expect_that(batch("get", "'keys':['k']"),
		    strstr(answer_->body, "\"found\":true,\"value\":\"\xc3\xa9 v\"") != NULL,
		    "expected the value");
}

Test(cross_api, put_through_rest_read_through_api)
{
	expect_status(http_put(client, entry_path("k"), SLICE("text\n")), 201);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'text\\n'}");
	expect_d1(d1("exists", "'key':'k'"), 200, "{'exists':true}");
	cr_assert_eq(d1_stat("total_size"), 5);
}

Test(cross_api, keys_with_spaces_and_slashes)
{
	must_set("('model', 'query')/x?", "1");
	expect_body(http_get(client, entry_path("%28%27model%27%2C%20%27query%27%29/x%3F")),
		    SLICE("1"));
	expect_status(http_put(client, entry_path("a%00b"), SLICE("2")), 201);
	expect_d1(d1("get", "'key':'a\\u0000b'"), 200, "{'found':true,'value':'2'}");
}

Test(cross_api, deletes_and_clears)
{
	must_set("a", "1");
	must_set("b", "2");
	must_set("c", "3");
	expect_status(http_delete(client, entry_path("a")), 204);
	expect_d1(d1("get", "'key':'a'"), 200, "{'found':false}");
	expect_d1(d1("delete", "'key':'b'"), 200, "{'success':true}");
	expect_status(http_get(client, entry_path("b")), 404);
	expect_status(http_delete(client, ns_path("?all")), 204);
	expect_d1(d1("exists", "'key':'c'"), 200, "{'exists':false}");
}

Test(cross_api, overwrites_change_the_content_type)
{
	expect_status(http_put(client, entry_path("k"), SLICE("x"), "Content-Type: image/png"),
		      201);
	must_set("k", "v");
	expect_header(http_get(client, entry_path("k")), "Content-Type",
		      "text/plain; charset=utf-8");
	expect_status(http_put(client, entry_path("k"), SLICE("x"), "Content-Type: image/png"),
		      204);
	expect_header(http_get(client, entry_path("k")), "Content-Type", "image/png");
}

Test(cross_api, limits)
{
	requires_feature("limits");
	must_init_bytes(100000);
	expect_status(http_put(client, entry_path("k"), slice_of(quoted("%0100001d", 0))), 413);
	expect_that(configure("'max_size_mb':4"), answer_->status / 100 == 2, "expected success");
	cr_assert_eq(d1_stat("max_size_bytes"), 4 * 1048576);
	expect_status(http_put(client, entry_path("k"), slice_of(quoted("%0100001d", 0))), 201);
}

Test(cross_api, the_same_content_has_the_same_etag)
{
	const char *etag;

	must_set("a", "same");
	etag = quoted("%s", http_header(http_get(client, entry_path("a")), "ETag"));
	expect_status(http_put(client, entry_path("b"), SLICE("same")), 201);
	expect_header(http_get(client, entry_path("b")), "ETag", etag);
	expect_status(http_put(client, entry_path("a"), SLICE("new"), quoted("If-Match: %s", etag)),
		      204);
	expect_d1(d1("get", "'key':'a'"), 200, "{'found':true,'value':'new'}");
}

Test(cross_api, bytes_that_are_no_text_through_api)
{
	const struct http_answer *answer;

	expect_status(http_put(client, entry_path("k"), SLICE("\xff\x00")), 201);
	answer = d1("get", "'key':'k'");
	expect_status(answer, 200);
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'/wA=','encoding':'base64'}");
}
