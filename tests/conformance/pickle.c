/* POST /pickle. */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(pickle);

static const struct http_answer *show(struct slice value)
{
	requires_feature("pickle");
	return http_post(client, "/pickle", value);
}

Test(pickle, a_value_as_the_d1_client_stores_it)
{
	static const char hello[] = "gASVCQAAAAAAAACMBWhlbGxvlC4=";

	requires_feature("pickle");
	must_set("k", hello);
	const struct http_answer *entry = http_get(client, entry_path("k"));
	expect_status(entry, 200);
	char *stored = strdup(entry->body);
	const struct http_answer *answer = show(slice_of(stored));
	free(stored);
	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "application/json; charset=UTF-8");
	expect_header(answer, "Cache-Control", "no-store");
	expect_json_text(answer, "{'type':'str','text':'hello','cut':false,'bytes':20}");
}

Test(pickle, bytes_as_they_are)
{
	const struct http_answer *answer = show(SLICE("\x80\x04(K\x01\x88\x8c\x02\x1b!t."));

	expect_status(answer, 200);
	expect_body(answer, SLICE("{\"type\":\"tuple\",\"text\":\"(1, True, '\\\\x1b!')\","
				  "\"cut\":false,\"bytes\":12}"));
}

Test(pickle, calls_are_shown_and_not_made)
{
	expect_json_text(show(SLICE("cos\nsystem\n(I1\ntR.")),
			 "{'type':'os.system','text':'os.system(1)','cut':false,'bytes':18}");
}

Test(pickle, text_alone)
{
	requires_feature("pickle");
	const struct http_answer *answer =
		http_post(client, "/pickle", SLICE("(I1\nF0.5\nt."), "Accept: text/plain");

	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "text/plain; charset=UTF-8");
	expect_header(answer, "X-Content-Type-Options", "nosniff");
	expect_body(answer, SLICE("(1, 0.5)"));
	expect_header(http_post(client, "/pickle", SLICE("N."), "Accept: */*"), "Content-Type",
		      "application/json; charset=UTF-8");
}

Test(pickle, what_is_none_is_told_with_the_offset)
{
	expect_problem(show(SLICE("hello, world")), 422, "at byte 0");
	expect_problem(show(SLICE("\x80\x04\xff.")), 422, "at byte 2");
	expect_problem(show(SLICE("gASVCQAAAAAAAACMBWhlbGxv")), 422, "cut off");
	expect_problem(show(SLICE("N.N.")), 422, "more bytes follow");
	expect_problem(show(NO_BODY), 400, "send the value");
	expect_status(http_post(client, "/pickle?type=x", SLICE("N.")), 400);
	expect_status(http_get(client, "/pickle"), 405);
}

/* A long text is cut; the whole costs no more than what is shown. */
Test(pickle, what_is_shown_is_bounded)
{
	requires_feature("pickle");
	size_t len = 1000000;
	char *value = malloc(len + 8);

	cr_assert_not_null(value);
	memcpy(value, "\x80\x04X\x40\x42\x0f\0", 7);
	memset(value + 7, 'x', len);
	value[7 + len] = '.';
	const struct http_answer *answer = show((struct slice){.data = value, .len = len + 8});
	free(value);
	expect_status(answer, 200);
	cr_expect_lt(http_body(answer).len, 300000);
	expect_that(answer, strstr(answer->body, "\"cut\":true"), "it does not say so");
}
