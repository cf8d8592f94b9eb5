#include "handlers/respond/http_date.h"

#include <time.h>

static const char day_names[] = "SunMonTueWedThuFriSat";
static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* "Wednesday, 30-Sep-94 08:49:37 GMT" */
#define HTTP_DATE_MAX_LEN 33

static void put_two(char *out, int number)
{
	out[0] = (char)('0' + number / 10 % 10);
	out[1] = (char)('0' + number % 10);
}

void http_date_format(int64_t time_s, char text[static HTTP_DATE_LEN + 1])
{
	/* Many entries share a second: each thread keeps the last date it made. */
	static _Thread_local int64_t last_s = INT64_MIN;
	static _Thread_local char last_text[HTTP_DATE_LEN + 1];

	if (time_s != last_s) {
		time_t time = (time_t)time_s;
		struct tm date;

		memcpy(last_text, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_LEN + 1);
		if (gmtime_r(&time, &date) && date.tm_year < 8100 && date.tm_year >= 0) {
			memcpy(last_text, day_names + (size_t)date.tm_wday * 3, 3);
			put_two(last_text + 5, date.tm_mday);
			memcpy(last_text + 8, month_names + (size_t)date.tm_mon * 3, 3);
			put_two(last_text + 12, (date.tm_year + 1900) / 100);
			put_two(last_text + 14, (date.tm_year + 1900) % 100);
			put_two(last_text + 17, date.tm_hour);
			put_two(last_text + 20, date.tm_min);
			put_two(last_text + 23, date.tm_sec);
		}
		last_s = time_s;
	}
	memcpy(text, last_text, HTTP_DATE_LEN + 1);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* strptime is lenient, so the result must give the same text again: with `format`, by strftime. */
static bool parse_as(const char *format, const char *text, int64_t *ret_s)
{
	char again[HTTP_DATE_MAX_LEN + 1];
	struct tm date = {0};

	if (!strptime(text, format, &date))
		return false;
	time_t time = timegm(&date);
	size_t len = gmtime_r(&time, &date) ? strftime(again, sizeof(again), format, &date) : 0;
	if (len == 0 || strcmp(again, text) != 0)
		return false;
	*ret_s = (int64_t)time;
	return true;
}
#pragma GCC diagnostic pop

bool http_date_parse(struct slice text, int64_t *ret_s)
{
	char copy[HTTP_DATE_MAX_LEN + 1];

	if (text.len > HTTP_DATE_MAX_LEN || (text.len > 0 && memchr(text.data, '\0', text.len)))
		return false;
	memcpy(copy, text.len ? text.data : "", text.len);
	copy[text.len] = '\0';
	return parse_as("%a, %d %b %Y %H:%M:%S GMT", copy, ret_s) ||
	       parse_as("%A, %d-%b-%y %H:%M:%S GMT", copy, ret_s) || /* RFC 850 */
	       parse_as("%a %b %e %H:%M:%S %Y", copy, ret_s);        /* asctime */
}
