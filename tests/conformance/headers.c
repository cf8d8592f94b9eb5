/* Headers that are kept with a value, over HTTP. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(headers);

#define TAG "Turbo/signature+=="

static void put(const char *value, const char *one, const char *two)
{
	const struct http_answer *answer = http_put(client, entry_path("k"), slice_of(value),
						    "Content-Type: text/css", one, two);

	expect_that(answer, answer_->status == 201 || answer_->status == 204, "expected success");
}

Test(headers, come_back_with_every_answer_that_has_the_value)
{
	requires_feature("headers");
	put("value", "X-Artifact-Tag: " TAG, "x-META-Build: 7, \"a\\b\"");
	const struct http_answer *answers[] = {
		http_get(client, entry_path("k")),
		http_head(client, entry_path("k")),
		http_get(client, entry_path("k"), "Range: bytes=1-2"),
		http_get(client, entry_path("k"), "If-None-Match: *"),
	};
	static const int statuses[] = {200, 200, 206, 304};

	for (size_t i = 0; i < 4; i++) {
		expect_status(answers[i], statuses[i]);
		expect_header(answers[i], "X-Artifact-Tag", TAG);
		expect_header(answers[i], "X-Meta-build", "7, \"a\\b\"");
	}
	expect_header(answers[0], "Content-Type", "text/css");
	expect_header(answers[0], "X-Content-Type-Options", "nosniff");
}

Test(headers, go_with_the_value_that_had_them)
{
	requires_feature("headers");
	put("value", "X-Meta-A: 1", "Content-Language: de");
	put("value", "X-Meta-B: 2", "Accept: */*");
	const struct http_answer *answer = http_get(client, entry_path("k"));
	expect_header(answer, "X-Meta-A", NULL);
	expect_header(answer, "Content-Language", NULL);
	expect_header(answer, "X-Meta-B", "2");
}

Test(headers, of_the_clients_own_caching_replace_the_servers)
{
	requires_feature("headers");
	expect_status(http_put(client, entry_path("k?ttl=600"), SLICE("v"),
			       "Cache-Control: public, max-age=5"),
		      201);
	expect_header(http_get(client, entry_path("k")), "Cache-Control", "public, max-age=5");
	put("v", "X-Meta-A: 1", "X-Meta-B: 2");
	const struct http_answer *answer = http_get(client, entry_path("k"));
	expect_that(answer, list_holds(http_header(answer_, "Cache-Control"), "no-cache"),
		    "expected no-cache");
}

Test(headers, that_cannot_be_kept_are_refused)
{
	static char line[2100];

	requires_feature("headers");
	(void)snprintf(line, sizeof(line), "X-Meta-1: %02037d", 1);
	expect_status(http_put(client, entry_path("k"), SLICE("v"), line), 201);
	expect_header(http_get(client, entry_path("k")), "X-Meta-1", line + 10);
	expect_problem(http_put(client, entry_path("k"), SLICE("v"), line, "X-Meta-2: 1"), 431,
		       "X-Meta-2");
	/* A runtime may join repeated lines before the implementation sees them. */
	if (!lacks_feature("raw"))
		expect_problem(
			http_put(client, entry_path("k"), SLICE("v"), "X-Meta-1: 1", "x-meta-1: 2"),
			400, "x-meta-1");
	expect_problem(http_put(client, entry_path("k"), SLICE("v"), "X-Meta-1: \xC3\xA4"), 400,
		       "X-Meta-1");
	expect_header(http_get(client, entry_path("k")), "X-Meta-1", line + 10);
}

Test(headers, are_members_of_items_in_a_batch)
{
	requires_feature("headers");
	expect_status(batch("set", "'items':[{'key':'k','value':'v','content_type':'a/b',"
				   "'headers':{'x-meta-a':'1','Content-Language':'de'}}]"),
		      200);
	expect_header(http_get(client, entry_path("k")), "Content-Language", "de");
	expect_d1(batch("get", "'keys':['k']"), 200,
		  "{'results':{'k':{'found':true,'value':'v','content_type':'a/b',"
		  "'headers':{'Content-Language':'de','X-Meta-a':'1'}}}}");
	expect_problem(batch("set", "'items':[{'key':'k','value':'v',"
				    "'headers':{'Set-Cookie':'a=b'}}]"),
		       400, "Set-Cookie");
}

Test(headers, are_exported_and_imported)
{
	requires_feature("headers");
	requires_feature("export");
	put("value", "X-Artifact-Tag: " TAG, "Content-Disposition: inline; filename=\"a\"");
	const struct http_answer *exported = http_get(client, quoted("/export?namespace=%s", ns));
	expect_status(exported, 200);
	expect_status(http_delete(client, entry_path("k")), 204);
	expect_status(http_post(client, "/import", http_body(exported)), 200);
	const struct http_answer *answer = http_get(client, entry_path("k"));
	expect_status(answer, 200);
	expect_header(answer, "X-Artifact-Tag", TAG);
	expect_header(answer, "Content-Disposition", "inline; filename=\"a\"");
	expect_header(answer, "Content-Type", "text/css");
}

/* What the client's library makes of it: the bytes as they came. */
Test(headers, a_value_with_a_coding_is_kept_as_it_came)
{
	static const char bytes[] = "any bytes; nobody looks at them";

	requires_feature("headers");
	put(bytes, "Content-Encoding: br", "X-Meta-A: 1");
	const struct http_answer *answer =
		http_get(client, entry_path("k"), "Accept-Encoding: br;q=0.1");
	expect_status(answer, 200);
	expect_header(answer, "Content-Encoding", "br");
	expect_header(answer, "Vary", "Accept-Encoding");
	cr_expect(slice_equal(http_body(answer), slice_of(bytes)));
	expect_d1(d1("get", "'key':'k'"), 200,
		  "{'found':true,'value':'any bytes; nobody looks at them'}");
}

/* ---- Content codings ---- */

#define PLAIN "hello, hello, hello, hello\n"
/* That, by gzip and by zstd. */
#define GZIP                                                                                       \
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\xc8\xc0\xa4"         \
	"\xb8\x00\x4b\x21\xa1\x29\x1b\x00\x00\x00"
#define ZSTD                                                                                       \
	"\x28\xb5\x2f\xfd\x04\x58\x75\x00\x00\x40\x68\x65\x6c\x6c\x6f\x2c\x20\x0a\x01\x00\x4a"     \
	"\x8a\x11\xf0\x97\x7b\x2a"

static void put_coded(struct slice bytes, const char *coding)
{
	expect_status(http_put(client, entry_path(coding), bytes, "Content-Type: text/plain",
			       quoted("Content-Encoding: %s", coding), "X-Meta-A: 1"),
		      201);
}

static void expect_decoded(struct slice bytes, const char *coding)
{
	static const char *const refusals[] = {"Accept-Encoding: br, deflate", "Accept-Encoding:,",
					       "Accept-Encoding: identity", "Accept: */*"};

	put_coded(bytes, coding);
	const struct http_answer *kept =
		http_get(client, entry_path(coding), quoted("Accept-Encoding: br, %s", coding));
	expect_body(kept, bytes);
	expect_header(kept, "Content-Encoding", coding);
	for (size_t i = 0; i < 4; i++) {
		const struct http_answer *answer =
			http_get(client, entry_path(coding), refusals[i]);

		expect_status(answer, 200);
		expect_body(answer, SLICE(PLAIN));
		expect_header(answer, "Content-Encoding", NULL);
		expect_header(answer, "Content-Type", "text/plain");
		expect_header(answer, "Vary", "Accept-Encoding");
		expect_header(answer, "X-Meta-A", "1");
		expect_header(answer, "X-Content-Type-Options", "nosniff");
	}
}

Test(headers, who_does_not_take_gzip_gets_the_decoded_bytes)
{
	requires_feature("headers");
	expect_decoded(SLICE(GZIP), "gzip");
}

Test(headers, who_does_not_take_zstd_gets_the_decoded_bytes)
{
	requires_feature("headers");
	requires_feature("zstd");
	expect_decoded(SLICE(ZSTD), "zstd");
}

Test(headers, the_decoded_form_has_a_tag_of_its_own)
{
	requires_feature("headers");
	put_coded(SLICE(GZIP), "gzip");
	const struct http_answer *of_decoded = http_head(client, entry_path("gzip"));
	const struct http_answer *of_kept =
		http_head(client, entry_path("gzip"), "Accept-Encoding: gzip");
	expect_status(of_decoded, 200);
	expect_status(of_kept, 200);
	const char *decoded = http_header(of_decoded, "ETag");
	const char *kept = http_header(of_kept, "ETag");

	cr_assert(decoded && kept);
	cr_expect_str_neq(decoded, kept);
	expect_status(http_get(client, entry_path("gzip"), quoted("If-None-Match: %s", decoded)),
		      304);
	expect_status(http_get(client, entry_path("gzip"), quoted("If-None-Match: %s", kept)), 200);
	expect_status(http_get(client, entry_path("gzip"), quoted("If-None-Match: %s", kept),
			       "Accept-Encoding: gzip"),
		      304);
	expect_status(http_get(client, entry_path("gzip"), "Range: bytes=0-1"), 200);
	expect_status(
		http_get(client, entry_path("gzip"), "Range: bytes=0-1", "Accept-Encoding: gzip"),
		206);
	/* A write means the version, whichever form of it the client has seen. */
	expect_status(
		http_put(client, entry_path("gzip"), SLICE("new"), quoted("If-Match: %s", decoded)),
		204);
	expect_status(http_put(client, entry_path("gzip"), SLICE("newer"),
			       quoted("If-Match: %s", decoded)),
		      412);
}

Test(headers, what_cannot_be_decoded_is_406_for_who_does_not_take_it)
{
	requires_feature("headers");
	put_coded(SLICE("any bytes"), "br");
	expect_problem(http_get(client, entry_path("br"), "Accept-Encoding: gzip"), 406, "br");
	expect_status(http_head(client, entry_path("br"), "Accept-Encoding: gzip"), 406);
	expect_body(http_get(client, entry_path("br")), SLICE("any bytes"));
	put_coded(SLICE("no gzip"), "gzip");
	expect_problem(http_get(client, entry_path("gzip"), "Accept-Encoding: br"), 406, "gzip");
	expect_body(http_get(client, entry_path("gzip")), SLICE("no gzip"));
	expect_problem(http_get(client, entry_path("gzip"), "Accept-Encoding: *;q=0"), 406, "gzip");
}
