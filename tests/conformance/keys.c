/* Any bytes are a key: percent-decoded once, never normalized. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>

CONFORMANCE_SUITE(keys);

static void put(const char *encoded, const char *value)
{
	const struct http_answer *answer = http_put(client, entry_path(encoded), slice_of(value));

	expect_that(answer, answer_->status == 201, "expected a new entry (201)");
}

static void expect_at(const char *encoded, const char *value)
{
	const struct http_answer *answer = http_get(client, entry_path(encoded));

	expect_status(answer, 200);
	expect_body(answer, slice_of(value));
}

Test(keys, slashes)
{
	put("a/b", "1");
	put("a", "2");
	put("a/", "3");
	put("a//b", "4");
	put("/a", "5");
	put("/", "6");
	expect_at("a/b", "1");
	expect_at("a%2Fb", "1");
	expect_at("a%2fb", "1");
	expect_at("a", "2");
	expect_at("a/", "3");
	expect_at("a//b", "4");
	expect_at("a%2F/b", "4");
	expect_at("%2Fa", "5");
	expect_at("%2f", "6");
	cr_assert_eq(d1_stat("entry_count"), 6);
}

Test(keys, dots_are_not_cleaned_up)
{
	requires_feature("dot-segments");
	put(".", "1");
	put("..", "2");
	put("a/../b", "3");
	put("./a", "4");
	put("../x", "5");
	put("..%2Fy", "6");
	put("a/.", "7");
	put("a/..", "8");
	expect_at("%2e", "1");
	expect_at("%2E%2e", "2");
	expect_at("a/%2e%2e/b", "3");
	expect_at("./a", "4");
	expect_at("../x", "5");
	expect_at("../y", "6");
	expect_at("a/.", "7");
	expect_at("a/..", "8");
	expect_status(http_get(client, entry_path("b")), 404);
	cr_assert_eq(d1_stat("entry_count"), 8);
}

Test(keys, question_marks_hashes_and_ampersands)
{
	put("a%3Fb", "1");
	put("a", "2");
	put("a%3Fttl=1", "3");
	put("a&b=c", "4");
	put("a%23b", "5");
	put("a%3F", "6");
	expect_at("a%3fb", "1");
	expect_at("a", "2");
	expect_at("a?b", "2");
	expect_at("a%3Fttl%3D1", "3");
	expect_at("a%26b%3Dc", "4");
	expect_at("a%23b", "5");
	expect_at("a%3F", "6");
}

Test(keys, nul_does_not_end_a_key)
{
	put("a%00b", "1");
	put("a", "2");
	put("a%00", "3");
	put("%00", "4");
	put("a%00c", "5");
	expect_at("a%00b", "1");
	expect_at("a", "2");
	expect_at("a%00", "3");
	expect_at("%00", "4");
	expect_at("a%00c", "5");
	cr_assert_eq(d1_stat("entry_count"), 5);
	expect_status(http_delete(client, entry_path("a%00b")), 204);
	expect_at("a", "2");
}

Test(keys, decoded_once)
{
	put("A", "1");
	put("%2541", "2");
	put("%252F", "3");
	put("100%25", "4");
	expect_at("%41", "1");
	expect_at("%2541", "2");
	expect_status(http_get(client, entry_path("%2F")), 404);
	expect_at("%31%30%30%25", "4");
}

Test(keys, a_plus_is_a_plus)
{
	put("a+b", "1");
	put("a%20b", "2");
	expect_at("a%2Bb", "1");
	expect_at("a%20b", "2");
	cr_assert_eq(d1_stat("entry_count"), 2);
}

Test(keys, case_matters)
{
	put("key", "1");
	put("Key", "2");
	put("KEY", "3");
	expect_at("key", "1");
	expect_at("Key", "2");
	expect_at("KEY", "3");
}

Test(keys, every_byte)
{
	for (int byte = 0; byte < 256; byte++) {
		char key[8], value[8];

		(void)snprintf(key, sizeof(key), "%%%02x", (unsigned)byte);
		(void)snprintf(value, sizeof(value), "%d", byte);
		put(key, value);
	}
	for (int byte = 0; byte < 256; byte++) {
		char key[8], value[8];

		(void)snprintf(key, sizeof(key), "%%%02X", (unsigned)byte);
		(void)snprintf(value, sizeof(value), "%d", byte);
		expect_at(key, value);
	}
	cr_assert_eq(d1_stat("entry_count"), 256);
}

Test(keys, bytes_that_are_not_utf8)
{
	put("%ff%fe", "1");
	put("%c3%28", "2");
	put("%ed%a0%80", "3");
	expect_at("%FF%FE", "1");
	expect_at("%C3(", "2");
	expect_at("%ED%A0%80", "3");
	/* Raw in the request line is the same as encoded. */
	expect_at("\xff\xfe", "1");
}

Test(keys, utf8_raw_and_encoded_are_one_key)
{
	put("caf\xc3\xa9", "v");
	expect_at("caf%C3%A9", "v");
	expect_d1(d1("get", "'key':'caf\xc3\xa9'"), 200, "{'found':true,'value':'v'}");
}

Test(keys, malformed_percent_signs_are_refused)
{
	static const char *const encoded[] = {"%", "a%", "a%4", "%zz", "%4g", "%%", "%-1"};

	for (size_t i = 0; i < 7; i++)
		expect_problem(http_put(client, entry_path(encoded[i]), SLICE("v")), 400, "");
}

Test(keys, an_empty_key_is_no_key)
{
	const struct http_answer *answer = http_put(client, entry_path(""), SLICE("v"));

	expect_that(answer, answer_->status / 100 == 4, "expected a 4xx");
	cr_assert_eq(d1_stat("entry_count"), 0);
}

Test(keys, long_keys)
{
	char key[2001];

	requires_feature("long-keys");
	memset(key, 'k', 2000);
	key[2000] = '\0';
	put(key, "1");
	key[1999] = 'x';
	put(key, "2");
	expect_at(key, "2");
	key[1999] = 'k';
	expect_at(key, "1");
	cr_assert_eq(d1_stat("entry_count"), 2);
}

Test(keys, namespace_names_that_are_none)
{
	/* 65 times "a": not a valid name, and neither is the part that fits. */
	char encoded[65 * 3 + 1];
	const char *const names[] = {
		"a%20b",
		".a",
		"-a",
		"a'b",
		"%C3%A9",
		"a%00",
		"%28select%201%29",
		"a:b",
		"x1234567890123456789012345678901234567890123456789012345678901234",
		encoded};

	for (size_t i = 0; i < 65; i++)
		memcpy(encoded + 3 * i, "%61", 4);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		expect_problem(http_put(client, quoted("/cache/%s/k", names[i]), SLICE("v")), 400,
			       "");
		expect_problem(http_get(client, quoted("/cache/%s/k", names[i])), 400, "");
		expect_problem(http_get(client, quoted("/cache/%s", names[i])), 400, "");
		expect_problem(http_delete(client, quoted("/cache/%s", names[i])), 400, "");
		expect_problem(http_get(client, quoted("/stats/%s", names[i])), 400, "");
		expect_problem(
			http_post_json(client, quoted("/batch/%s/get", names[i]), "{\"keys\":[]}"),
			400, "");
	}
}
