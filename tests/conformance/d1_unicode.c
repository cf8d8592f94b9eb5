/* Any JSON string of any length is a legal key and a legal value, and is returned unchanged. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

CONFORMANCE_SUITE(d1_unicode);

/* Sets and gets through JSON that jansson writes and reads, so that the test's own escaping cannot
 * interfere. */
static void expect_round_trip(struct slice key, struct slice value)
{
	json_auto_t *set =
		json_pack("{s:s, s:s%, s:s%, s:I}", "cache_name", ns, "key", key.data, key.len,
			  "value", value.data, value.len, "size", (json_int_t)value.len);
	json_auto_t *get = json_pack("{s:s, s:s%}", "cache_name", ns, "key", key.data, key.len);
	json_auto_t *many = json_pack("{s:s, s:[s%]}", "cache_name", ns, "keys", key.data, key.len);
	json_auto_t *found = NULL, *results = NULL;
	const json_t *text;
	const struct http_answer *answer;
	char *set_text = json_dumps(set, 0), *get_text = json_dumps(get, JSON_ENSURE_ASCII);
	char *many_text = json_dumps(many, 0);

	cr_assert(set_text && get_text && many_text);
	expect_d1(http_post_json(client, "/api/set", set_text), 200, "{'success':true}");

	answer = http_post_json(client, "/api/get", get_text);
	expect_status(answer, 200);
	found = http_json(answer);
	text = json_object_get(found, "value");
	expect_that(answer,
		    text && slice_equal(value, (struct slice){json_string_value(text),
							      json_string_length(text)}),
		    "expected the value that was set, %zu bytes", value.len);

	answer = http_post_json(client, "/api/batch/get", many_text);
	expect_status(answer, 200);
	/* jansson reads no member names that contain a NUL. */
	if (memchr(key.data, '\0', key.len))
		goto out;
	results = http_json(answer);
	text = json_object_get(
		json_object_getn(json_object_get(results, "results"), key.data, key.len), "value");
	expect_that(answer,
		    text && slice_equal(value, (struct slice){json_string_value(text),
							      json_string_length(text)}),
		    "expected the value that was set under the key that was asked");
out:
	free(set_text);
	free(get_text);
	free(many_text);
}

Test(d1_unicode, values)
{
	expect_round_trip(SLICE("k"), SLICE("\xc3\xa9t\xc3\xa9 \xe2\x82\xac"));
	expect_round_trip(SLICE("k"), SLICE("\xf0\x9f\x98\x80 \xf0\xa0\x80\x80 \xf4\x8f\xbf\xbf"));
	expect_round_trip(SLICE("k"), SLICE("a\0b\0"));
	expect_round_trip(SLICE("k"), SLICE("\0"));
	expect_round_trip(SLICE("k"), SLICE("\"quotes\" \\back\\ /slash/"));
	expect_round_trip(SLICE("k"), SLICE("line\nreturn\rtab\tbell\x07 escape\x1b delete\x7f"));
	expect_round_trip(SLICE("k"), SLICE("\xe2\x80\xa8 \xe2\x80\xa9 \xef\xbb\xbf \xef\xbf\xbf"));
	expect_round_trip(SLICE("k"), SLICE("</script><!-- & -->"));
}

Test(d1_unicode, every_control_character)
{
	char value[33];

	for (int i = 0; i < 33; i++)
		value[i] = (char)i;
	expect_round_trip((struct slice){value, 33}, (struct slice){value, 33});
}

Test(d1_unicode, keys)
{
	expect_round_trip(SLICE("\xc3\xa9t\xc3\xa9"), SLICE("1"));
	expect_round_trip(SLICE("\xf0\x9f\x98\x80"), SLICE("2"));
	expect_round_trip(SLICE("a\0b"), SLICE("3"));
	expect_round_trip(SLICE("a"), SLICE("4"));
	expect_round_trip(SLICE("a\0"), SLICE("5"));
	expect_round_trip(SLICE("line one\nline two\t\"quoted\""), SLICE("6"));
	expect_round_trip(SLICE("('model', 'query', 'some text')"), SLICE("7"));
	expect_round_trip(SLICE("k' OR '1'='1"), SLICE("8"));
	expect_round_trip(SLICE("%_*?[]"), SLICE("9"));
	/* \u00e9 as one character and as e with an accent are two keys: no normalization. */
	expect_round_trip(SLICE("caf\xc3\xa9"), SLICE("composed"));
	expect_round_trip(SLICE("cafe\xcc\x81"), SLICE("decomposed"));
	expect_round_trip(SLICE("CAF\xc3\x89"), SLICE("upper case"));
	cr_assert_eq(d1_stat("entry_count"), 12);
}

Test(d1_unicode, a_key_with_nul_in_a_batch)
{
	must_set("a\\u0000b", "v");
	must_set("a", "other");
	expect_d1(d1("batch/get", "'keys':['a\\u0000b','a','a\\u0000']"), 200,
		  "{'results':{'a\\u0000b':{'found':true,'value':'v'},"
		  "'a':{'found':true,'value':'other'},'a\\u0000':{'found':false}}}");
}

Test(d1_unicode, escapes_and_raw_characters_are_the_same_string)
{
	must_set("\\u00e9\\ud83d\\ude00\\u0041\\/", "v");
	expect_d1(d1("get", "'key':'\xc3\xa9\xf0\x9f\x98\x80"
			    "A/'"),
		  200, "{'found':true,'value':'v'}");
	cr_assert_not(must_exist_or_not("\\u00e9"));
}

Test(d1_unicode, strings_that_look_like_something_else_stay_strings)
{
	static const char *const values[] = {
		"5",  "5.0", "123456789012345678901", "1e5", "null", "true", "{}", "0x10", " ",
		"-0", "NaN"};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		expect_round_trip(slice_of(values[i]), slice_of(values[i]));
	}
	cr_assert_eq(d1_stat("entry_count"), 11);
}

Test(d1_unicode, a_whole_prompt_as_key)
{
	static const char sentence[] = "Explain \"frecency\" to \xf0\x9f\x91\xa9\xe2\x80\x8d"
				       "\xf0\x9f\x94\xac:\n\tin \xe6\x97\xa5\xe6\x9c\xac. ";
	size_t len = 0, want = 48 * 1024;
	char *prompt = malloc(want + sizeof(sentence));

	requires_feature("long-keys");
	cr_assert(prompt);
	for (; len < want; len += sizeof(sentence) - 1)
		memcpy(prompt + len, sentence, sizeof(sentence));
	expect_round_trip((struct slice){prompt, len}, SLICE("the answer"));
	/* One byte less is another key. */
	expect_round_trip((struct slice){prompt, len - 1}, SLICE("another answer"));
	prompt[0] = 'e';
	expect_round_trip((struct slice){prompt, len}, SLICE("a third"));
	cr_assert_eq(d1_stat("entry_count"), 3);
	free(prompt);
}

Test(d1_unicode, keys_that_differ_at_the_very_end)
{
	size_t len = 8192;
	char *key = malloc(len);

	requires_feature("long-keys");
	cr_assert(key);
	memset(key, 'k', len);
	for (char last = 'a'; last <= 'e'; last++) {
		key[len - 1] = last;
		expect_round_trip((struct slice){key, len}, (struct slice){&last, 1});
	}
	cr_assert_eq(d1_stat("entry_count"), 5);
	free(key);
}

Test(d1_unicode, a_value_of_a_mebibyte)
{
	size_t len = 1048576;
	char *value = malloc(len);
	unsigned state = 7;

	requires_feature("mebibyte-values");
	cr_assert(value);
	for (size_t i = 0; i < len; i++) {
		state = state * 1103515245 + 12345;
		value[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
			[state >> 16 & 63];
	}
	expect_round_trip(SLICE("plain"), (struct slice){value, len});
	for (size_t i = 0; i < len; i += 1000)
		value[i] = "\"\\\n\0\x01"[i / 1000 % 5];
	expect_round_trip(SLICE("to be escaped"), (struct slice){value, len});
	cr_assert_eq(d1_stat("total_size"), 2097152);
	free(value);
}

Test(d1_unicode, invalid_utf8_is_refused)
{
	expect_d1_error(d1("set", "'key':'k','value':'\xff','size':1"), 400, "");
	expect_d1_error(d1("set", "'key':'\xc3','value':'v','size':1"), 400, "");
	expect_d1_error(d1("set", "'key':'k','value':'\xed\xa0\x80','size':1"), 400, "");
	cr_assert_eq(d1_stat("entry_count"), 0);
}
