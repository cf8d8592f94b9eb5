/* Writing JSON, compact and pretty. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_out.h"
#include "base/utf8.h"
#include "handlers/json/json_in.h"
#include "handlers/respond/pretty.h"
#include "tests/support/random.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Writing JSON ---- */

static void expect_json(struct buffer *json, const char *expected)
{
	cr_expect(slice_equal(buffer_bytes(json), slice_of(expected)), "%.*s is not %s",
		  (int)json->len, json->data, expected);
	buffer_deinit(json);
}

Test(json_out, escapes_what_json_stringify_escapes)
{
	struct buffer json = {0};

	for (int c = 1; c < 0x80; c++) {
		static const char *const shorts[128] = {
			['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n",  ['\r'] = "\\r",
			['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\",
		};
		char expected[16];

		if (shorts[c])
			(void)snprintf(expected, sizeof(expected), "\"%s\"", shorts[c]);
		else
			(void)snprintf(expected, sizeof(expected),
				       c < 0x20 ? "\"\\u%04x\"" : "\"%c\"", c);
		json_out_string(&json, (struct slice){.data = (char[]){(char)c}, .len = 1});
		expect_json(&json, expected);
	}
	json_out_string(&json, SLICE("a\0b"));
	expect_json(&json, "\"a\\u0000b\"");
	json_out_string(&json, SLICE("\xE2\x80\xA8</script>\xF0\x9F\x98\x80"));
	expect_json(&json, "\"\xE2\x80\xA8</script>\xF0\x9F\x98\x80\"");
	json_out_string(&json, (struct slice){0});
	expect_json(&json, "\"\"");
}

/* Up to 40 characters of any UTF-8 length. */
static struct slice random_text(char room[static 160])
{
	size_t len = 0;

	for (uint64_t left = random_below(41); left > 0; left--) {
		static const uint32_t ends[] = {0x20, 0x80, 0x800, 0xD800, 0x10000, 0x110000};
		uint32_t code = (uint32_t)random_below(ends[random_below(COUNT(ends))]);

		if (code >= 0xD800 && code <= 0xDFFF)
			code = 0xFFFD;
		if (code < 0x80) {
			room[len++] = (char)code;
			continue;
		}
		int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
		room[len++] = (char)((0xF0 << (3 - more) & 0xFF) | code >> 6 * more);
		while (more-- > 0)
			room[len++] = (char)(0x80 | (code >> 6 * more & 0x3F));
	}
	return (struct slice){.data = room, .len = len};
}

Test(json_out, strings_read_back_through_jansson)
{
	for (int i = 0; i < 20000; i++) {
		struct buffer json = {0};
		char room[160];
		struct slice text = random_text(room);

		cr_assert(utf8_is_valid(text));
		json_out_string(&json, text);
		json_t *read =
			json_loadb(json.data, json.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		cr_assert(json_is_string(read), "%.*s", (int)json.len, json.data);
		cr_assert(slice_equal(
			(struct slice){json_string_value(read), json_string_length(read)}, text));
		json_decref(read);
		buffer_deinit(&json);
	}
}

Test(json_out, doubles_are_short_and_exact)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0, "0"},
		{1, "1"},
		{-1, "-1"},
		{0.5, "0.5"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1.0 / 3, "0.3333333333333333"},
		{999999999999999, "999999999999999"},
		{1e15, "1e+15"},
		{1e-7, "1e-07"},
		{2.5e300, "2.5e+300"},
	};
	struct buffer json = {0};

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_out_double(&json, cases[i].number);
		expect_json(&json, cases[i].text);
	}
	for (int i = 0; i < 20000; i++) {
		uint64_t bits = random_below(UINT64_MAX);
		double number;

		memcpy(&number, &bits, sizeof(number));
		if (!isfinite(number))
			continue;
		json_out_double(&json, number);
		buffer_append_char(&json, '\0');
		cr_assert_eq(strtod(json.data, NULL), number, "%s", json.data);
		buffer_deinit(&json);
	}
}

Test(json_out, integers_and_times)
{
	struct buffer json = {0};

	json_out_integer(&json, INT64_MIN);
	expect_json(&json, "-9223372036854775808");
	json_out_integer(&json, INT64_MAX);
	expect_json(&json, "9223372036854775807");
	json_out_time(&json, 0);
	expect_json(&json, "0.000000");
	json_out_time(&json, INT64_C(1700000000000001));
	expect_json(&json, "1700000000.000001");
	json_out_time(&json, -1500000);
	expect_json(&json, "-1.500000");
}

Test(json_out, base64_of_any_length)
{
	static const struct {
		struct slice bytes;
		const char *json;
	} cases[] = {
		{SLICE(""), "\"\""},
		{SLICE("f"), "\"Zg==\""},
		{SLICE("fo"), "\"Zm8=\""},
		{SLICE("foo"), "\"Zm9v\""},
		{SLICE("\0\xFF\xFE"), "\"AP/+\""},
	};
	struct buffer json = {0};

	for (size_t i = 0; i < COUNT(cases); i++) {
		json_out_base64(&json, cases[i].bytes);
		expect_json(&json, cases[i].json);
	}
}

Test(json_out, a_value_says_its_encoding_where_it_is_no_text)
{
	static const struct {
		struct slice bytes;
		const char *json;
	} cases[] = {
		{SLICE(""), "\"value\":\"\""},
		{SLICE("plain"), "\"value\":\"plain\""},
		{SLICE("\"\n\xC3\xA4"), "\"value\":\"\\\"\\n\xC3\xA4\""},
		{SLICE("\xFF"), "\"value\":\"/w==\",\"encoding\":\"base64\""},
	};
	struct buffer json = {0};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache_value *value = cache_value_copy(cases[i].bytes, SLICE("a/b"));

		json_out_value(&json, value);
		expect_json(&json, cases[i].json);
		cache_value_release(value);
	}
}

/* ---- ?pretty ---- */

static void expect_pretty(const char *compact, const char *expected)
{
	struct response response = {0};

	buffer_append(&response.buffer, slice_of(compact));
	respond_pretty(&response);
	expect_json(&response.buffer, expected);
}

Test(pretty, lays_out_as_json_stringify_does)
{
	expect_pretty("{}", "{}");
	expect_pretty("[]", "[]");
	expect_pretty("7", "7");
	expect_pretty("{\"a\":1,\"b\":[]}", "{\n  \"a\": 1,\n  \"b\": []\n}");
	expect_pretty("[[1,{}],{\"a\":{\"b\":null}}]",
		      "[\n  [\n    1,\n    {}\n  ],\n  {\n    \"a\": {\n      \"b\": null\n    }\n"
		      "  }\n]");
	expect_pretty("{\"{[,:]}\":\"\\\"}\\\\\",\"\":\"\"}",
		      "{\n  \"{[,:]}\": \"\\\"}\\\\\",\n  \"\": \"\"\n}");
}

static json_t *random_document(int depth)
{
	uint64_t what = random_below(depth > 0 ? 6 : 4);
	char room[160];
	struct slice text = random_text(room);

	if (what == 0)
		return json_integer((json_int_t)random_below(1000));
	if (what == 1)
		return json_stringn(text.data, text.len);
	if (what == 2)
		return json_real((double)random_below(1000) / 8);
	if (what == 3)
		return random_below(2) ? json_null() : json_true();
	json_t *container = what == 4 ? json_array() : json_object();
	for (uint64_t left = random_below(5); left > 0; left--) {
		json_t *child = random_document(depth - 1);

		text = random_text(room);
		room[text.len < 159 ? text.len : 159] = '\0';
		(void)(what == 4 ? json_array_append_new(container, child)
				 : json_object_set_new(container, room, child));
	}
	return container;
}

/* jansson's own indentation is the same. */
Test(pretty, agrees_with_jansson_on_random_documents)
{
	for (int i = 0; i < 1000; i++) {
		json_t *document = random_document(5);
		char *compact = json_dumps(document, JSON_ENCODE_ANY | JSON_COMPACT);
		char *expected = json_dumps(document, JSON_ENCODE_ANY | JSON_INDENT(2));

		expect_pretty(compact, expected);
		free(compact);
		free(expected);
		json_decref(document);
	}
}
