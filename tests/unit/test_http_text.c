/* The small readers and writers of the handlers: dates, percent-encoding, JSON. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <nettle/base64.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/base/utf8.h"
#include "handlers/http_date.h"
#include "handlers/json_in.h"
#include "handlers/json_out.h"
#include "handlers/percent.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_state = 88172645463325252U;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

/* ---- Dates ---- */

Test(http_date, of_known_moments)
{
	static const struct {
		int64_t time_s;
		const char *text;
	} cases[] = {
		{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
		{951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
		{951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
		{INT64_C(4107542399), "Sun, 28 Feb 2100 23:59:59 GMT"},
		{INT64_C(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT"}, /* no leap year */
		{INT64_C(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT"},
		{-1, "Wed, 31 Dec 1969 23:59:59 GMT"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[HTTP_DATE_LEN + 1];
		int64_t again_s = 7;

		http_date_format(cases[i].time_s, text);
		cr_expect_str_eq(text, cases[i].text);
		cr_expect(http_date_parse(slice_of(cases[i].text), &again_s), "%s", cases[i].text);
		cr_expect_eq(again_s, cases[i].time_s, "%s", cases[i].text);
	}
}

/* One moment in each week of 230 years, against strftime. */
Test(http_date, agrees_with_strftime_and_reads_back)
{
	for (int64_t time_s = 0; time_s < INT64_C(230) * 365 * 86400; time_s += 7 * 86400 + 3661) {
		time_t time = (time_t)time_s;
		char text[HTTP_DATE_LEN + 1];
		char expected[40];
		struct tm date;
		int64_t again_s = -1;

		http_date_format(time_s, text);
		(void)strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT",
			       gmtime_r(&time, &date));
		cr_assert_str_eq(text, expected);
		cr_assert(http_date_parse(slice_of(text), &again_s), "%s", text);
		cr_assert_eq(again_s, time_s, "%s", text);
	}
}

Test(http_date, beyond_four_digits_of_a_year_is_still_a_date)
{
	char text[HTTP_DATE_LEN + 1];
	int64_t ignored_s;

	http_date_format(INT64_C(253402300800), text);
	cr_expect(http_date_parse(slice_of(text), &ignored_s), "%s", text);
	http_date_format(INT64_MAX / 1000000, text);
	cr_expect(http_date_parse(slice_of(text), &ignored_s), "%s", text);
}

Test(http_date, refuses_all_but_the_one_form)
{
	static const char *const bad[] = {
		"",
		"Sun, 06 Nov 1994 08:49:37 GM",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"Mon, 06 Nov 1994 08:49:37 GMT", /* it was a Sunday */
		"Sun, 06 nov 1994 08:49:37 GMT",
		"sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT",
		"Thu, 29 Feb 1900 00:00:00 GMT",
		"Sun,  6 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
		"784111777",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t time_s = 7;

		cr_expect_not(http_date_parse(slice_of(bad[i]), &time_s), "%s", bad[i]);
		cr_expect_eq(time_s, 7);
	}
	cr_expect_not(http_date_parse(SLICE("Sun, 06 Nov 1994 08:49:37\0GMT"), &(int64_t){0}));
}

/* ---- Percent-encoding ---- */

Test(percent, decodes_once)
{
	static const struct {
		struct slice raw, decoded;
	} cases[] = {
		{SLICE(""), SLICE("")},
		{SLICE("a/b+c"), SLICE("a/b+c")},
		{SLICE("a%2Fb%2fc"), SLICE("a/b/c")},
		{SLICE("%00"), SLICE("\0")},
		{SLICE("%41%42%43"), SLICE("ABC")},
		{SLICE("x%FFy"), SLICE("x\xFFy")},
		{SLICE("%2541"), SLICE("%41")},
		{SLICE("%e2%82%AC"), SLICE("\xE2\x82\xAC")},
		{SLICE("\xC3\xA4"), SLICE("\xC3\xA4")},
		{SLICE("%3f%23"), SLICE("?#")},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[32];
		size_t len = 99;

		cr_assert(percent_decode(cases[i].raw, out, &len), "case %zu", i);
		cr_expect(slice_equal((struct slice){.data = out, .len = len}, cases[i].decoded),
			  "case %zu", i);
		memcpy(out, cases[i].raw.data, cases[i].raw.len);
		cr_assert(percent_decode((struct slice){.data = out, .len = cases[i].raw.len}, out,
					 &len));
		cr_expect(slice_equal((struct slice){.data = out, .len = len}, cases[i].decoded),
			  "case %zu, in place", i);
	}
}

Test(percent, takes_hex_digits_and_nothing_else)
{
	for (int c = 0; c < 256; c++) {
		bool hex = c < 128 && isxdigit(c);
		char high[3] = {'%', (char)c, '0'};
		char low[3] = {'%', '0', (char)c};
		char out[3];
		size_t len;

		cr_expect_eq(percent_decode((struct slice){.data = high, .len = 3}, out, &len), hex,
			     "byte %d", c);
		cr_expect_eq(percent_decode((struct slice){.data = low, .len = 3}, out, &len), hex,
			     "byte %d", c);
	}
	cr_expect_not(percent_decode(SLICE("abc%"), (char[4]){0}, &(size_t){0}));
	cr_expect_not(percent_decode(SLICE("abc%4"), (char[5]){0}, &(size_t){0}));
	/* The digit behind the slice is not looked at. */
	cr_expect_not(percent_decode((struct slice){.data = "%41", .len = 2}, (char[2]){0},
				     &(size_t){0}));
}

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

/* Up to 40 characters of any length in UTF-8. */
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
		cr_assert(slice_equal(json_in_slice(read), text));
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
	response_pretty(&response);
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
