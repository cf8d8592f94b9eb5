/* 304 on reads, 412 on writes. */
#include "tests/conformance/conformance.h"

CONFORMANCE_SUITE(conditional);

/* Puts `value` under k and returns its ETag, which stays valid for 16 further requests. */
static const char *put(const char *value)
{
	const struct http_answer *answer = http_put(client, entry_path("k"), slice_of(value));

	expect_that(answer, answer_->status / 100 == 2, "expected success");
	answer = http_head(client, entry_path("k"));
	expect_that(answer, http_header(answer_, "ETag") != NULL, "expected an ETag");
	return http_header(answer, "ETag");
}

#define expect_value(value)                                                                        \
	do {                                                                                       \
		const struct http_answer *now_ = http_get(client, entry_path("k"));                \
		expect_status(now_, 200);                                                          \
		expect_body(now_, SLICE(value));                                                   \
	} while (0)

/* A 304 gives the length that a 200 would have had, or none (RFC 9110, 8.6): a cache on the way may
 * take it for the value's length. */
static void expect_length_of_value(const struct http_answer *answer)
{
	const char *length = http_header(answer, "Content-Length");

	expect_that(answer, !length || strcmp(length, "1") == 0,
		    "expected Content-Length 1 or none");
}

Test(conditional, if_none_match_on_reads)
{
	const char *etag = quoted("%s", put("v"));
	const char *const matching[] = {etag, "*", quoted("\"x\", %s", etag),
					quoted("%s,\"x\"", etag), quoted("W/%s", etag)};
	const struct http_answer *answer;

	for (size_t i = 0; i < 5; i++) {
		answer =
			http_get(client, entry_path("k"), quoted("If-None-Match: %s", matching[i]));
		expect_status(answer, 304);
		expect_body(answer, SLICE(""));
		expect_header(answer, "ETag", etag);
		expect_length_of_value(answer);
		answer = http_head(client, entry_path("k"),
				   quoted("If-None-Match: %s", matching[i]));
		expect_status(answer, 304);
		expect_length_of_value(answer);
	}
	answer = http_get(client, entry_path("k"), "If-None-Match: \"other\"");
	expect_status(answer, 200);
	expect_body(answer, SLICE("v"));
	expect_status(http_get(client, entry_path("absent"), "If-None-Match: *"), 404);
}

Test(conditional, a_changed_entry_is_sent_again)
{
	const char *etag = quoted("%s", put("v"));

	(void)put("w");
	expect_status(http_get(client, entry_path("k"), quoted("If-None-Match: %s", etag)), 200);
	(void)put("v");
	expect_status(http_get(client, entry_path("k"), quoted("If-None-Match: %s", etag)), 304);
}

Test(conditional, create_only)
{
	expect_status(http_put(client, entry_path("k"), SLICE("first"), "If-None-Match: *"), 201);
	expect_problem(http_put(client, entry_path("k"), SLICE("second"), "If-None-Match: *"), 412,
		       "");
	expect_value("first");
	expect_status(http_delete(client, entry_path("k")), 204);
	expect_status(http_put(client, entry_path("k"), SLICE("third"), "If-None-Match: *"), 201);
	expect_value("third");
}

Test(conditional, replace_only_that_version)
{
	const char *first = quoted("%s", put("first")), *second;

	expect_status(
		http_put(client, entry_path("k"), SLICE("second"), quoted("If-Match: %s", first)),
		204);
	expect_value("second");
	expect_problem(
		http_put(client, entry_path("k"), SLICE("third"), quoted("If-Match: %s", first)),
		412, "");
	expect_value("second");
	second = quoted("%s", http_header(http_get(client, entry_path("k")), "ETag"));
	expect_status(http_put(client, entry_path("k"), SLICE("third"),
			       quoted("If-Match: \"x\", %s", second)),
		      204);
	expect_value("third");
}

Test(conditional, if_match_compares_strongly)
{
	const char *etag = quoted("%s", put("v"));

	expect_status(http_put(client, entry_path("k"), SLICE("w"), quoted("If-Match: W/%s", etag)),
		      412);
	expect_value("v");
}

Test(conditional, if_match_star_replaces_only_what_is_there)
{
	expect_problem(http_put(client, entry_path("k"), SLICE("v"), "If-Match: *"), 412, "");
	expect_status(http_get(client, entry_path("k")), 404);
	(void)put("v");
	expect_status(http_put(client, entry_path("k"), SLICE("w"), "If-Match: *"), 204);
	expect_value("w");
}

Test(conditional, if_match_of_an_absent_key)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v"), "If-Match: \"any\""), 412);
	expect_status(http_get(client, entry_path("k")), 404);
}

Test(conditional, delete_only_that_version)
{
	const char *etag = quoted("%s", put("v"));

	expect_problem(http_delete(client, entry_path("k"), "If-Match: \"other\""), 412, "");
	expect_value("v");
	expect_status(http_delete(client, entry_path("k"), quoted("If-Match: %s", etag)), 204);
	expect_status(http_get(client, entry_path("k")), 404);
	(void)put("v");
	expect_status(http_delete(client, entry_path("k"), "If-Match: *"), 204);
	expect_status(http_get(client, entry_path("k")), 404);
}

Test(conditional, if_unmodified_since)
{
	const char *now;

	(void)put("v");
	now = quoted("If-Unmodified-Since: %s",
		     http_header(http_get(client, entry_path("k")), "Last-Modified"));
	expect_status(http_get(client, entry_path("k"),
			       "If-Unmodified-Since: Fri, 31 Dec 2094 23:59:59 GMT"),
		      200);
	expect_problem(http_get(client, entry_path("k"),
				"If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"),
		       412, "");
	/* If-Match takes precedence. */
	expect_status(http_get(client, entry_path("k"), "If-Match: *",
			       "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"),
		      200);
	expect_status(http_get(client, entry_path("k"), "If-Unmodified-Since: nonsense"), 200);
	/* A second is too coarse to guard a write. */
	expect_problem(http_put(client, entry_path("k"), SLICE("w"), now), 400, "If-Match");
	expect_problem(http_delete(client, entry_path("k"), now), 400, "If-Match");
	expect_value("v");
}

Test(conditional, a_refused_write_is_no_use_and_costs_nothing)
{
	requires_feature("uses");
	(void)put("v");
	expect_status(http_put(client, entry_path("k"), SLICE("longer"), "If-None-Match: *"), 412);
	cr_assert_eq(d1_stat("max_frequency"), 1);
	cr_assert_eq(d1_stat("total_size"), 1);
}

/* Several lines are one list (RFC 9110, 5.3). */
Test(conditional, lines_of_one_name_are_one_list)
{
	const char *etag = quoted("%s", put("v"));
	const char *match = quoted("If-Match: %s", etag);
	const char *none_match = quoted("If-None-Match: %s", etag);

	expect_status(http_get(client, entry_path("k"), "If-Match: \"x\"", match), 200);
	expect_status(http_get(client, entry_path("k"), match, "If-Match: \"x\""), 200);
	expect_status(http_get(client, entry_path("k"), "If-Match: \"x\"", "If-Match: \"y\""), 412);
	expect_status(http_get(client, entry_path("k"), "If-None-Match: \"x\"", none_match), 304);
	expect_status(
		http_put(client, entry_path("k"), SLICE("w"), "If-None-Match: \"x\"", none_match),
		412);
	expect_problem(http_put(client, entry_path("k"), SLICE("w"), "If-None-Match: \"x\"",
				"If-None-Match: *"),
		       400, "If-None-Match");
	expect_value("v");
	expect_status(http_put(client, entry_path("k"), SLICE("w"), "If-Match: \"x\"", match), 204);
	expect_value("w");
	expect_status(http_delete(client, entry_path("k"), "If-Match: \"x\"", match), 412);
	expect_status(http_delete(client, entry_path("k"), "If-Match: \"x\"",
				  quoted("If-Match: %s",
					 http_header(http_get(client, entry_path("k")), "ETag"))),
		      204);
}

/* A date may belong to the first of several values of its second. */
Test(conditional, dates_within_their_own_second)
{
	const struct http_answer *first, *again;

	(void)put("first");
	first = http_get(client, entry_path("k"));
	const char *date = quoted("%s", http_header(first, "Last-Modified"));
	(void)put("other");
	again = http_get(client, entry_path("k"), quoted("If-Modified-Since: %s", date));
	expect_status(again, 200);
	expect_body(again, SLICE("other"));
	again = http_get(client, entry_path("k"), "Range: bytes=0-1", quoted("If-Range: %s", date));
	expect_status(again, 200);
	expect_body(again, SLICE("other"));
	expect_status(http_get(client, entry_path("k"), quoted("If-Unmodified-Since: %s", date)),
		      412);
	/* The first value was modified before that date, if at all. */
	expect_status(http_get(client, entry_path("k"),
			       "If-Modified-Since: Fri, 31 Dec 2094 23:59:59 GMT"),
		      304);
}

Test(conditional, malformed_conditions_change_nothing)
{
	static const char *const headers[] = {"If-Match: unquoted", "If-Match: \"open",
					      "If-Match: ,", "If-None-Match: unquoted"};
	(void)put("v");
	for (size_t i = 0; i < 4; i++) {
		const struct http_answer *answer =
			http_put(client, entry_path("k"), SLICE("w"), headers[i]);

		expect_that(answer, answer_->status == 400 || answer_->status == 412,
			    "expected 400 or 412");
		expect_value("v");
	}
}
