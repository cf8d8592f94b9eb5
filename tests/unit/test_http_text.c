/* Dates and percent-encoding. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/percent.h"
#include "handlers/respond/http_date.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

Test(http_date, reads_the_two_old_forms_too)
{
	static const char *const old[] = {
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};

	for (size_t i = 0; i < COUNT(old); i++) {
		int64_t time_s = 0;

		cr_expect(http_date_parse(slice_of(old[i]), &time_s), "%s", old[i]);
		cr_expect_eq(time_s, 784111777, "%s", old[i]);
	}
}

Test(http_date, refuses_all_but_the_three_forms)
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
		"Sun, 06-Nov-94 08:49:37 GMT",
		"Monday, 06-Nov-94 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sun Nov 06 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT",
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
	/* The digit after the slice is not read. */
	cr_expect_not(percent_decode((struct slice){.data = "%41", .len = 2}, (char[2]){0},
				     &(size_t){0}));
}
