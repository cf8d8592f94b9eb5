/* GET, HEAD, PUT and DELETE of /cache/{ns}/{key}, and the headers of an entry. */
#include "tests/conformance/conformance.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

CONFORMANCE_SUITE(entries);

Test(entries, put_creates_then_replaces)
{
	const struct http_answer *answer = http_put(client, entry_path("k"), SLICE("one"));

	expect_status(answer, 201);
	expect_body(answer, SLICE(""));
	answer = http_put(client, entry_path("k"), SLICE("two"));
	expect_status(answer, 204);
	expect_body(answer, SLICE(""));
	answer = http_get(client, entry_path("k"));
	expect_status(answer, 200);
	expect_body(answer, SLICE("two"));
	expect_header(answer, "Content-Length", "3");
}

Test(entries, get_of_an_absent_key)
{
	const struct http_answer *answer = http_get(client, entry_path("absent"));

	expect_problem(answer, 404, "");
	expect_header(answer, "ETag", NULL);
	expect_status(http_head(client, entry_path("absent")), 404);
}

Test(entries, delete)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_status(http_delete(client, entry_path("k")), 204);
	expect_status(http_get(client, entry_path("k")), 404);
	expect_problem(http_delete(client, entry_path("k")), 404, "");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
}

/* It gives a lease back (single_flight.c), if the server knows leases and this one. */
Test(entries, delete_with_a_lease_deletes_no_entry)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_problem(
		http_delete(client, entry_path("k"), "Lease: 00112233445566778899aabbccddeeff"),
		404, "no such lease");
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
}

Test(entries, an_empty_value)
{
	const struct http_answer *answer;

	expect_status(http_put(client, entry_path("k"), SLICE("")), 201);
	answer = http_get(client, entry_path("k"));
	expect_status(answer, 200);
	expect_header(answer, "Content-Length", "0");
	expect_body(answer, SLICE(""));
}

Test(entries, any_bytes)
{
	char bytes[512];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	expect_status(http_put(client, entry_path("k"), ((struct slice){bytes, sizeof(bytes)})),
		      201);
	expect_body(http_get(client, entry_path("k")), ((struct slice){bytes, sizeof(bytes)}));
}

/* What any implementation must accept; D1 takes 2 MB in a row, and bytes become base64 there. */
#define LARGE_VALUE_BYTES 1400000

Test(entries, sizes_around_the_usual_buffers)
{
	static const size_t sizes[] = {1,     1023,  1024,   1025,    4095,    4096,
				       4097,  8191,  8192,   16384,   32767,   32768,
				       65535, 65537, 262144, 1048576, 1048577, 3145728};
	char *bytes = malloc(3145728);
	unsigned state = 3;

	cr_assert(bytes);
	for (size_t i = 0; i < 3145728; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (char)(state >> 24);
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct slice value = {bytes, sizes[i]};
		const struct http_answer *answer;

		if (lacks_feature("large-values") && sizes[i] > LARGE_VALUE_BYTES)
			continue;
		if (lacks_feature("mebibyte-values") && sizes[i] > 390 << 10)
			continue;
		answer = http_put(client, entry_path("k"), value);
		expect_that(answer, answer_->status == 201 || answer_->status == 204,
			    "expected 201 or 204 for %zu bytes", sizes[i]);
		answer = http_get(client, entry_path("k"));
		expect_status(answer, 200);
		cr_assert(slice_equal(http_body(answer), value), "%zu bytes came back changed",
			  sizes[i]);
	}
	free(bytes);
}

Test(entries, the_content_type_is_kept)
{
	static const char *const types[] = {"text/html; charset=utf-8", "application/json",
					    "image/png", "application/vnd.x+json;v=\"1, 2\"",
					    "application/octet-stream"};
	const struct http_answer *answer;

	for (size_t i = 0; i < 5; i++) {
		answer = http_put(client, entry_path("k"), SLICE("v"),
				  quoted("Content-Type: %s", types[i]));
		expect_that(answer, answer_->status / 100 == 2, "expected success");
		expect_header(http_get(client, entry_path("k")), "Content-Type", types[i]);
		expect_header(http_head(client, entry_path("k")), "Content-Type", types[i]);
	}
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 204);
	expect_header(http_get(client, entry_path("k")), "Content-Type",
		      "application/octet-stream");
}

Test(entries, stored_pages_do_not_run_as_the_servers_own)
{
	expect_status(http_put(client, entry_path("k"), SLICE("<script>1</script>"),
			       "Content-Type: text/html"),
		      201);
	expect_header(http_get(client, entry_path("k")), "X-Content-Type-Options", "nosniff");
	expect_header(http_head(client, entry_path("k")), "X-Content-Type-Options", "nosniff");
	expect_header(http_get(client, entry_path("k"), "Range: bytes=0-3"),
		      "X-Content-Type-Options", "nosniff");
}

Test(entries, the_etag_comes_from_the_content_alone)
{
	const struct http_answer *answer;
	const char *etag;

	expect_status(http_put(client, entry_path("a"), SLICE("same")), 201);
	expect_status(http_put(client, entry_path("b"), SLICE("same")), 201);
	expect_status(http_put(client, entry_path("c"), SLICE("else")), 201);
	answer = http_get(client, entry_path("a"));
	etag = http_header(answer, "ETag");
	expect_that(answer,
		    etag && etag[0] == '"' && strlen(etag) > 2 && etag[strlen(etag) - 1] == '"',
		    "expected a strong ETag");
	expect_header(http_head(client, entry_path("a")), "ETag", etag);
	expect_header(http_get(client, entry_path("b")), "ETag", etag);
	answer = http_get(client, entry_path("c"));
	expect_that(answer, !http_text_equal(http_header(answer_, "ETag"), etag),
		    "expected another ETag for other bytes");
	expect_status(http_put(client, entry_path("a"), SLICE("changed")), 204);
	answer = http_get(client, entry_path("a"));
	expect_that(answer, !http_text_equal(http_header(answer_, "ETag"), etag),
		    "expected another ETag after a change");
	expect_status(http_put(client, entry_path("a"), SLICE("same")), 204);
	expect_header(http_get(client, entry_path("a")), "ETag", etag);
}

Test(entries, put_may_tell_the_etag_but_then_the_right_one)
{
	const struct http_answer *put = http_put(client, entry_path("k"), SLICE("v"));

	if (http_header(put, "ETag"))
		expect_header(http_get(client, entry_path("k")), "ETag", http_header(put, "ETag"));
}

/* curl, urllib, Ruby and PHP send it unasked. */
Test(entries, the_type_of_a_form_is_none)
{
	static const struct {
		const char *given, *stored;
	} cases[] = {
		{"application/x-www-form-urlencoded", "application/octet-stream"},
		{"Application/X-WWW-Form-URLEncoded ; charset=utf-8", "application/octet-stream"},
		{"application/x-www-form-urlencoded;charset=utf-8", "application/octet-stream"},
		{"application/x-www-form-urlencoded2", "application/x-www-form-urlencoded2"},
		{"application/x-www-form", "application/x-www-form"},
		{"multipart/form-data", "multipart/form-data"},
	};
	struct slice values[] = {SLICE("v"), SLICE("")};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t v = 0; v < 2; v++) {
			(void)http_put(client, entry_path("k"), values[v],
				       quoted("Content-Type: %s", cases[i].given));
			expect_header(http_get(client, entry_path("k")), "Content-Type",
				      cases[i].stored);
		}
}

Test(entries, last_modified_and_age)
{
	const struct http_answer *answer;
	const char *modified, *age;
	time_t now, then;

	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	answer = http_get(client, entry_path("k"));
	modified = http_header(answer, "Last-Modified");
	age = http_header(answer, "Age");
	now = time(NULL);
	then = modified ? curl_getdate(modified, NULL) : -1;
	expect_that(answer, then != -1 && labs((long)(now - then)) < 60,
		    "expected Last-Modified of just now");
	expect_that(answer, modified && strlen(modified) == 29 && strstr(modified, " GMT"),
		    "expected Last-Modified in the form of RFC 9110");
	expect_that(answer, age && strspn(age, "0123456789") == strlen(age) && atoi(age) < 60,
		    "expected Age of a few seconds");
	expect_that(answer, http_header(answer_, "Date") != NULL, "expected Date");
}

Test(entries, without_ttl_caches_have_to_ask_again)
{
	const struct http_answer *answer;
	const char *control;

	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	answer = http_get(client, entry_path("k"));
	expect_header(answer, "Cache-Status", "steadycache; hit");
	control = http_header(answer, "Cache-Control");
	expect_that(answer, control && list_holds(control, "no-cache"), "expected no-cache");
	expect_that(answer, strstr(control, "max-age") == NULL, "expected no max-age");
	answer = http_get(client, entry_path("k"), "If-None-Match: *");
	expect_status(answer, 304);
	expect_header(answer, "Cache-Control", quoted("%s", control));
}

Test(entries, what_may_change_at_once_is_not_to_be_stored)
{
	static const char *const targets[] = {"", "?limit=0", "/absent"};
	const struct http_answer *answer;

	expect_status(http_put(client, entry_path("k?ttl=100"), SLICE("v")), 201);
	for (size_t i = 0; i < 3; i++)
		expect_header(http_get(client, ns_path(targets[i])), "Cache-Control", "no-store");
	expect_header(http_get(client, "/cache"), "Cache-Control", "no-store");
	expect_header(http_get(client, "/stats"), "Cache-Control", "no-store");
	expect_header(http_get(client, "/nowhere"), "Cache-Control", "no-store");
	answer = http_get(client, entry_path("k"), "If-Match: \"other\"");
	expect_status(answer, 412);
	expect_header(answer, "Cache-Control", "no-store");
	answer = http_get(client, entry_path("k"), "Range: bytes=9-");
	expect_status(answer, 416);
	expect_header(answer, "Cache-Control", "no-store");
	expect_header(http_get(client, entry_path("absent")), "Cache-Status",
		      "steadycache; fwd=miss");
}

/* Whatever its type claims: on the server's own origin a script could read and clear everything. */
Test(entries, stored_values_are_no_pages_of_the_server)
{
	const struct http_answer *answers[3];

	expect_status(http_put(client, entry_path("k"), SLICE("<script>alert(1)</script>"),
			       "Content-Type: text/html"),
		      201);
	answers[0] = http_get(client, entry_path("k"));
	answers[1] = http_head(client, entry_path("k"));
	answers[2] = http_get(client, entry_path("k"), "Range: bytes=0-7");
	expect_status(answers[2], 206);
	for (size_t i = 0; i < 3; i++) {
		expect_header(answers[i], "X-Content-Type-Options", "nosniff");
		expect_header(answers[i], "Content-Security-Policy", "sandbox; default-src 'none'");
		expect_header(answers[i], "X-Frame-Options", "DENY");
		expect_header(answers[i], "Cross-Origin-Resource-Policy", "same-origin");
	}
}

Test(entries, head_tells_what_get_tells_without_the_body)
{
	static const char *const names[] = {"ETag",          "Content-Type",  "Content-Length",
					    "Last-Modified", "Cache-Control", "Cache-Status"};
	const struct http_answer *head, *get;

	expect_status(http_put(client, entry_path("k?ttl=1000"), SLICE("twelve bytes")), 201);
	get = http_get(client, entry_path("k"));
	head = http_head(client, entry_path("k"));
	expect_status(head, 200);
	expect_body(head, SLICE(""));
	for (size_t i = 0; i < 6; i++) {
		const char *told = http_header(get, names[i]);

		expect_that(get, told != NULL, "expected %s", names[i]);
		/* A second may pass between the two. */
		if (i < 4)
			expect_header(head, names[i], told);
		else
			expect_that(head, http_header(answer_, names[i]) != NULL, "expected %s",
				    names[i]);
	}
	expect_header(head, "Content-Length", "12");
}

Test(entries, get_is_a_use_and_head_is_none)
{
	requires_feature("uses");
	requires_feature("one-server");
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	for (int i = 0; i < 4; i++)
		expect_status(http_head(client, entry_path("k")), 200);
	cr_assert_eq(d1_stat("max_frequency"), 1);
	for (int i = 0; i < 4; i++)
		expect_status(http_get(client, entry_path("k")), 200);
	cr_assert_eq(d1_stat("max_frequency"), 5);
	cr_assert_eq(listed_number("k", "frequency"), 5);
}

Test(entries, a_value_larger_than_the_namespace_is_413)
{
	requires_feature("limits");
	must_init_bytes(5000 * partitions());
	expect_status(http_put(client, entry_path("kept"), SLICE("v")), 201);
	expect_problem(http_put(client, entry_path("k"), slice_of(quoted("%05001d", 0))), 413, "");
	expect_status(http_get(client, entry_path("kept")), 200);
	expect_status(http_put(client, entry_path("k"), slice_of(quoted("%04848d", 0))), 413);
	expect_status(http_put(client, entry_path("k"), slice_of(quoted("%04847d", 0))), 201);
	if (!lacks_feature("exact-eviction"))
		cr_assert_eq(d1_stat("used_bytes"), 5000);
}

/* The key counts, and so does the content type. */
Test(entries, a_key_larger_than_the_namespace_is_413)
{
	const int limit = partitions() == 1 ? 1000 : 5000; /* no longer than it has to be */

	requires_feature("limits");
	must_init_bytes((unsigned)limit * partitions());
	expect_status(http_put(client, entry_path("kept"), SLICE("v")), 201);
	expect_problem(http_put(client, entry_path(quoted("%0*d", limit - 151, 0)), SLICE("")), 413,
		       "");
	expect_problem(http_put(client, entry_path(quoted("%0*d", limit - 200, 0)), SLICE(""),
				quoted("Content-Type: text/%068d", 0)),
		       413, "");
	expect_d1_error(d1("set", "'key':'%0*d','value':'','size':0", limit - 152, 0), 413, "");
	expect_status(http_get(client, entry_path("kept")), 200);
	expect_status(http_put(client, entry_path(quoted("%0*d", limit - 152, 0)), SLICE("")), 201);
	if (!lacks_feature("exact-eviction")) {
		cr_assert_eq(d1_stat("used_bytes"), limit);
		cr_assert_eq(d1_stat("entry_count"), 1);
	}
}
