/* Single byte ranges: 206, 416, and what must be ignored. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(range);

static void put_digits(void)
{
	expect_status(
		http_put(client, entry_path("k"), SLICE("0123456789"), "Content-Type: text/css"),
		201);
}

Test(range, satisfiable)
{
	static const struct {
		const char *range, *body, *content_range;
	} cases[] = {
		{"bytes=0-3", "0123", "bytes 0-3/10"},
		{"bytes=4-", "456789", "bytes 4-9/10"},
		{"bytes=-3", "789", "bytes 7-9/10"},
		{"bytes=0-0", "0", "bytes 0-0/10"},
		{"bytes=9-9", "9", "bytes 9-9/10"},
		{"bytes=5-100", "56789", "bytes 5-9/10"},
		{"bytes=-100", "0123456789", "bytes 0-9/10"},
		{"bytes=0-", "0123456789", "bytes 0-9/10"},
	};
	const struct http_answer *answer;
	char length[8];

	put_digits();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		answer = http_get(client, entry_path("k"), quoted("Range: %s", cases[i].range));
		expect_status(answer, 206);
		expect_body(answer, slice_of(cases[i].body));
		expect_header(answer, "Content-Range", cases[i].content_range);
		expect_header(answer, "Content-Type", "text/css");
		(void)snprintf(length, sizeof(length), "%zu", strlen(cases[i].body));
		expect_header(answer, "Content-Length", length);
		expect_that(answer, http_header(answer_, "ETag") != NULL, "expected an ETag");
	}
}

Test(range, not_satisfiable)
{
	static const char *const ranges[] = {"bytes=10-", "bytes=10-20", "bytes=100-", "bytes=-0"};

	put_digits();
	for (size_t i = 0; i < 4; i++) {
		const struct http_answer *answer =
			http_get(client, entry_path("k"), quoted("Range: %s", ranges[i]));

		expect_status(answer, 416);
		expect_header(answer, "Content-Range", "bytes */10");
	}
}

Test(range, what_is_no_single_byte_range_is_ignored)
{
	static const char *const ranges[] = {"lines=0-3", "bytes=", "bytes=a-b", "bytes=5-2",
					     "bytes",     "0-3",    "bytes=-",   "bytes=--1"};

	put_digits();
	for (size_t i = 0; i < 8; i++) {
		const struct http_answer *answer =
			http_get(client, entry_path("k"), quoted("Range: %s", ranges[i]));

		expect_status(answer, 200);
		expect_body(answer, SLICE("0123456789"));
	}
}

/* RFC 9110 wants the first served from 0 on and the second refused, and allows both to be
 * ignored. */
Test(range, numbers_beyond_all_measure)
{
	const struct http_answer *answer;

	put_digits();
	answer = http_get(client, entry_path("k"), "Range: bytes=0-99999999999999999999999");
	expect_that(answer, answer_->status == 206 || answer_->status == 200,
		    "expected 206 or 200");
	expect_body(answer, SLICE("0123456789"));
	answer = http_get(client, entry_path("k"), "Range: bytes=99999999999999999999999-");
	expect_that(answer, answer_->status == 416 || answer_->status == 200,
		    "expected 416 or 200");
}

/* A server may answer several ranges with the whole value; this API promises only single ones. */
Test(range, several_ranges_give_the_whole)
{
	const struct http_answer *answer;

	put_digits();
	answer = http_get(client, entry_path("k"), "Range: bytes=0-1,4-5");
	expect_status(answer, 200);
	expect_body(answer, SLICE("0123456789"));
}

Test(range, of_an_empty_value)
{
	expect_status(http_put(client, entry_path("k"), SLICE("")), 201);
	expect_status(http_get(client, entry_path("k"), "Range: bytes=0-"), 416);
}

Test(range, if_range)
{
	const struct http_answer *answer;
	const char *etag;

	put_digits();
	etag = quoted("%s", http_header(http_head(client, entry_path("k")), "ETag"));
	answer =
		http_get(client, entry_path("k"), "Range: bytes=0-3", quoted("If-Range: %s", etag));
	expect_status(answer, 206);
	expect_body(answer, SLICE("0123"));
	answer = http_get(client, entry_path("k"), "Range: bytes=0-3", "If-Range: \"other\"");
	expect_status(answer, 200);
	expect_body(answer, SLICE("0123456789"));
}

Test(range, not_modified_comes_before_the_range)
{
	const char *etag;

	put_digits();
	etag = quoted("%s", http_header(http_head(client, entry_path("k")), "ETag"));
	expect_status(http_get(client, entry_path("k"), "Range: bytes=0-3",
			       quoted("If-None-Match: %s", etag)),
		      304);
}

Test(range, of_an_absent_key)
{
	expect_status(http_get(client, entry_path("absent"), "Range: bytes=0-3"), 404);
}

/* Range applies to GET only (RFC 9110, 14.2). */
Test(range, of_a_head_is_ignored)
{
	static const char *const ranges[] = {"Range: bytes=2-4", "Range: bytes=20-40"};

	put_digits();
	for (size_t i = 0; i < 2; i++) {
		const struct http_answer *answer = http_head(client, entry_path("k"), ranges[i]);

		expect_status(answer, 200);
		expect_header(answer, "Content-Length", "10");
		expect_header(answer, "Content-Range", NULL);
	}
}
