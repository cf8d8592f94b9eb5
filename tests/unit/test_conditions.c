/* Conditional requests and ranges, header by header. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "handlers/respond/conditions.h"
#include "handlers/respond/http_date.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TAG_ABC   "\"ba7816bf8f01cfea414140de5dae2223\"" /* of "abc" */
#define TAG_EMPTY "\"e3b0c44298fc1c149afbf4c8996fb924\"" /* of "" */

static struct fake_request fake;
static struct cache_value *value;

/* The value "abc", stored on Sun, 06 Nov 1994 08:49:37.5 GMT. */
static void open_fake(void)
{
	fake_request_init(&fake);
	value = cache_value_copy(SLICE("abc"), SLICE("a/b"));
	value->modified_at_us = INT64_C(784111777500000);
}

static void close_fake(void)
{
	cache_value_release(value);
	fake_request_close(&fake);
}

/* ---- Lists of entity tags ---- */

static bool parse(const char *header, bool strong, struct etag_list *ret)
{
	struct fake_request with_header;

	fake_request_init(&with_header);
	fake_request_header(&with_header, "If-Match", header);
	return conditions_read_etags(&with_header.request, "If-Match", header, strong, ret);
}

Test(etag_list, what_is_read)
{
	static const struct {
		const char *header;
		bool strong, any, has_foreign;
		size_t count;
	} cases[] = {
		{"*", true, true, false, 0},
		{" \t*\t ", false, true, false, 0},
		{TAG_ABC, true, false, false, 1},
		{"  " TAG_ABC "\t ", true, false, false, 1},
		{TAG_ABC "," TAG_EMPTY, true, false, false, 2},
		{TAG_ABC " \t,\t " TAG_EMPTY, true, false, false, 2},
		{"W/" TAG_ABC, false, false, false, 1},
		{"W/" TAG_ABC, true, false, true, 0},
		{"\"\"", false, false, true, 0},
		{"\"a,b\", " TAG_ABC, true, false, true, 1},
		{"\"*\"", true, false, true, 0},
		{"\"W/\"", true, false, true, 0},
		{"\"\xFF\x80\"", true, false, true, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct etag_list list;

		cr_assert(parse(cases[i].header, cases[i].strong, &list), "%s", cases[i].header);
		cr_expect_eq(list.any, cases[i].any, "%s", cases[i].header);
		cr_expect_eq(list.has_foreign, cases[i].has_foreign, "%s", cases[i].header);
		cr_expect_eq(list.count, cases[i].count, "%s", cases[i].header);
	}
}

Test(etag_list, what_is_refused)
{
	static const char *const bad[] = {
		"",         "   ",      "abc",     "\"abc",       "abc\"", "\"a\" \"b\"",
		",",        "W/",       "w/\"a\"", "W/*",         "* x",   "*, \"a\"",
		"\"a\", *", "W /\"a\"", "\"a\"x",  "\"a\";\"b\"", "'a'",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct etag_list list;

		cr_expect_not(parse(bad[i], false, &list), "%s", bad[i]);
	}
}

Test(etag_list, empty_elements_are_ignored)
{
	static const char *const lists[] = {TAG_ABC ",", "," TAG_ABC,
					    " , ," TAG_ABC " ,, \"x\" , "};

	for (size_t i = 0; i < COUNT(lists); i++) {
		struct etag_list list;

		cr_expect(parse(lists[i], true, &list), "%s", lists[i]);
		cr_expect_eq(list.count, 1, "%s", lists[i]);
	}
}

Test(etag_list, lines_are_one_list)
{
	static const struct {
		const char *lines[3];
		bool valid;
		size_t count;
	} cases[] = {
		{{TAG_EMPTY, TAG_ABC, NULL}, true, 2},
		{{"\"x\"", "", TAG_ABC}, true, 1},
		{{TAG_ABC ",", ", " TAG_EMPTY, "\"x\""}, true, 2},
		{{"", "", NULL}, false, 0},
		{{"*", TAG_ABC, NULL}, false, 0},
		{{TAG_ABC, "*", NULL}, false, 0},
		{{"*", "*", NULL}, false, 0},
		{{TAG_ABC, "nonsense", NULL}, false, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake_request several;
		struct etag_list list;

		fake_request_init(&several);
		fake_request_more(&several, "If-None-Match", "\"of another header\"");
		for (size_t line = 0; line < 3 && cases[i].lines[line]; line++)
			fake_request_more(&several, "If-Match", cases[i].lines[line]);
		cr_expect_eq(conditions_read_etags(&several.request, "If-Match", cases[i].lines[0],
						   true, &list),
			     cases[i].valid, "case %zu", i);
		cr_expect(!cases[i].valid || list.count == cases[i].count, "case %zu", i);
	}
}

Test(etag_list, has_a_limit_for_tags_of_ours_only)
{
	char header[(MAX_ETAGS + 1) * (ETAG_TEXT_LEN + 1) + 1] = "";
	struct etag_list list;

	for (int i = 0; i < MAX_ETAGS; i++)
		strcat(header, i > 0 ? "," TAG_ABC : TAG_ABC);
	cr_expect(parse(header, true, &list));
	cr_expect_eq(list.count, MAX_ETAGS);
	strcat(header, ",\"x\"");
	cr_expect(parse(header, true, &list), "a foreign tag takes no room");
	header[strlen(header) - 4] = '\0';
	strcat(header, "," TAG_ABC);
	cr_expect_not(parse(header, true, &list));
}

Test(etag_list, matches_any_of_its_tags)
{
	struct etag abc = etag_of(SLICE("abc"));
	struct etag_list list;

	cr_assert(parse(TAG_EMPTY ", " TAG_ABC, true, &list));
	cr_expect(conditions_match_etag(&list, &abc, ETAG_OF_VALUE));
	cr_assert(parse(TAG_EMPTY ", \"abc\"", true, &list));
	cr_expect_not(conditions_match_etag(&list, &abc, ETAG_OF_VALUE));
	cr_assert(parse("*", true, &list));
	cr_expect(conditions_match_etag(&list, &abc, ETAG_OF_VALUE));
}

/* Each form of a value is another representation; a write means the version. */
Test(etag_list, knows_the_forms_of_a_value)
{
	static const char identity[] = "\"ba7816bf8f01cfea414140de5dae2223-identity\"";
	static const char zstd[] = "\"ba7816bf8f01cfea414140de5dae2223-zstd\"";
	static const char *const foreign[] = {
		"\"ba7816bf8f01cfea414140de5dae2223-zst\"",
		"\"ba7816bf8f01cfea414140de5dae2223-zstdx\"",
		"\"ba7816bf8f01cfea414140de5dae2223-\"",
		"\"ga7816bf8f01cfea414140de5dae2223-zstd\"",
		"\"ba7816bf8f01cfea414140de5dae222-identity\"",
	};
	struct etag abc = etag_of(SLICE("abc"));
	struct etag_list list;

	cr_assert(parse(identity, true, &list));
	cr_expect(conditions_match_etag(&list, &abc, ETAG_OF_IDENTITY));
	cr_expect_not(conditions_match_etag(&list, &abc, ETAG_OF_VALUE));
	cr_expect_not(conditions_match_etag(&list, &abc, ETAG_OF_ZSTD));
	cr_assert(parse(zstd, true, &list));
	cr_expect(conditions_match_etag(&list, &abc, ETAG_OF_ZSTD));
	cr_expect_not(conditions_match_etag(&list, &abc, ETAG_OF_VALUE));
	cr_assert(parse(TAG_ABC, true, &list));
	cr_expect_not(conditions_match_etag(&list, &abc, ETAG_OF_ZSTD));
	for (size_t i = 0; i < COUNT(foreign); i++) {
		cr_assert(parse(foreign[i], true, &list));
		cr_expect(list.has_foreign, "%s", foreign[i]);
		cr_expect_eq(list.count, 0, "%s", foreign[i]);
	}
}

Test(etag_list, is_written_in_the_form_that_is_read)
{
	struct etag abc = etag_of(SLICE("abc"));

	for (int form = ETAG_OF_VALUE; form <= ETAG_OF_ZSTD; form++) {
		struct fake_request written;
		struct etag_list list;

		fake_request_init(&written);
		conditions_add_etag(&written.response, &abc, (enum etag_form)form);
		cr_assert(parse(fake_response_header(&written, "ETag"), true, &list));
		cr_expect(conditions_match_etag(&list, &abc, (enum etag_form)form));
	}
}

/* ---- Writes ---- */

TestSuite(write_condition, .init = open_fake, .fini = close_fake);

Test(write_condition, headers_become_conditions)
{
	static const struct {
		const char *name, *header;
		enum condition_kind kind;
		size_t count;
	} cases[] = {
		{"If-Match", "*", CONDITION_PRESENT, 0},
		{"If-Match", TAG_ABC, CONDITION_MATCH, 1},
		{"If-Match", "\"foreign\"", CONDITION_MATCH, 0},
		{"If-Match", "W/" TAG_ABC, CONDITION_MATCH, 0},
		{"if-none-match", "*", CONDITION_ABSENT, 0},
		{"If-None-Match", TAG_ABC ", " TAG_EMPTY, CONDITION_NONE_MATCH, 2},
		{"If-None-Match", "W/" TAG_ABC, CONDITION_NONE_MATCH, 1},
		{"If-None-Match", "\"foreign\"", CONDITION_NONE_MATCH, 0},
		{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT", CONDITION_NONE, 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache_condition *condition = &fake.request.op.one.condition;
		struct etag_list list;

		fake_request_init(&fake);
		fake_request_header(&fake, cases[i].name, cases[i].header);
		cr_assert(conditions_of_write(&fake.request, &fake.response, &list));
		cr_expect_eq(condition->kind, cases[i].kind, "case %zu", i);
		cr_expect_eq(condition->etag_count, cases[i].count, "case %zu", i);
		cr_expect(condition->etag_count == 0 || condition->etags == list.etags);
	}
}

static void expect_refusal(const char *word)
{
	struct etag_list list;

	cr_expect_not(conditions_of_write(&fake.request, &fake.response, &list));
	cr_expect_eq(fake.response.status, 400);
	cr_expect_not_null(
		memmem(fake.response.buffer.data, fake.response.buffer.len, word, strlen(word)),
		"%.*s", (int)fake.response.buffer.len, fake.response.buffer.data);
	buffer_deinit(&fake.response.buffer);
	fake.response.header_count = 0;
}

Test(write_condition, refusals_name_the_header)
{
	fake_request_header(&fake, "If-Match", "abc");
	expect_refusal("If-Match must");
	fake_request_header(&fake, "If-None-Match", "*");
	expect_refusal("not both");
	fake_request_init(&fake);
	fake_request_header(&fake, "If-None-Match", "abc");
	expect_refusal("If-None-Match must");
}

/* ---- Reads ---- */

TestSuite(read_condition, .init = open_fake, .fini = close_fake);

Test(read_condition, precedence_of_rfc_9110)
{
	static const struct {
		const char *match, *none_match, *since;
		unsigned status;
	} cases[] = {
		{NULL, NULL, NULL, 200},
		{TAG_ABC, NULL, NULL, 200},
		{"*", NULL, NULL, 200},
		{TAG_EMPTY, NULL, NULL, 412},
		{"W/" TAG_ABC, NULL, NULL, 412},
		{"\"foreign\"", NULL, NULL, 412},
		{NULL, TAG_ABC, NULL, 304},
		{NULL, "W/" TAG_ABC, NULL, 304},
		{NULL, "*", NULL, 304},
		{NULL, TAG_EMPTY ", " TAG_ABC, NULL, 304},
		{NULL, TAG_EMPTY, NULL, 200},
		{TAG_ABC, TAG_ABC, NULL, 304},
		{TAG_EMPTY, TAG_ABC, NULL, 412},
		{NULL, NULL, "Sun, 06 Nov 1994 08:49:36 GMT", 200},
		/* Another value of that second may have existed before. */
		{NULL, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", 200},
		{NULL, NULL, "Sun, 06 Nov 1994 08:49:38 GMT", 304},
		{NULL, NULL, "Sun, 06 Nov 1994 08:49:39 GMT", 304},
		{NULL, NULL, "a while ago", 200},
		{NULL, TAG_EMPTY, "Sun, 06 Nov 1994 08:49:38 GMT", 200},
		{NULL, "garbage", "Sun, 06 Nov 1994 08:49:38 GMT", 200},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_init(&fake);
		if (cases[i].match)
			fake_request_header(&fake, "If-Match", cases[i].match);
		if (cases[i].none_match)
			fake_request_header(&fake, "If-None-Match", cases[i].none_match);
		if (cases[i].since)
			fake_request_header(&fake, "If-Modified-Since", cases[i].since);
		cr_expect_eq(conditions_of_read(&fake.request, value, ETAG_OF_VALUE),
			     cases[i].status, "case %zu", i);
	}
}

Test(read_condition, if_unmodified_since)
{
	static const struct {
		const char *date;
		unsigned status;
	} cases[] = {
		{"Sun, 06 Nov 1994 08:49:36 GMT", 412},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 412},
		{"Sun, 06 Nov 1994 08:49:38 GMT", 200},
		{"Sun, 06 Nov 1994 08:49:39 GMT", 200},
		{"a while ago", 200},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_header(&fake, "If-Unmodified-Since", cases[i].date);
		cr_expect_eq(conditions_of_read(&fake.request, value, ETAG_OF_VALUE),
			     cases[i].status, "%s", cases[i].date);
	}
}

Test(read_condition, dates_say_nothing_of_a_value_whose_modification_is_not_known)
{
	value->modified_at_us = 0;
	fake_request_header(&fake, "If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT");
	cr_expect_eq(conditions_of_read(&fake.request, value, ETAG_OF_VALUE), 200);
	fake_request_init(&fake);
	fake_request_header(&fake, "If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT");
	cr_expect_eq(conditions_of_read(&fake.request, value, ETAG_OF_VALUE), 200);
	fake_request_init(&fake);
	fake_request_header(&fake, "If-Range", "Thu, 01 Jan 1970 00:00:00 GMT");
	fake_request_header(&fake, "Range", "bytes=0-0");
	uint64_t offset, len;
	cr_expect_eq(conditions_range(&fake.request, value, &offset, &len), RANGE_WHOLE);
}

/* Two values of the times `first_us` and `second_us`, and a client that got the first at any moment
 * before the second was stored: none of its dates may match the second. */
Test(read_condition, a_date_of_one_value_is_none_of_the_next)
{
	const int64_t begin_us = value->modified_at_us - 500000;

	for (int64_t first_us = 0; first_us <= 2000000; first_us += 250000)
		for (int64_t second_us = first_us; second_us <= 2000000; second_us += 250000)
			for (int64_t read_us = first_us; read_us <= second_us + 500000;
			     read_us += 125000) {
				struct fake_request again;
				char date[HTTP_DATE_LEN + 1];
				uint64_t offset, len;

				value->modified_at_us = begin_us + first_us;
				int64_t date_s =
					conditions_last_modified_s(value, begin_us + read_us);
				cr_assert_leq(date_s * US_PER_S, begin_us + read_us);
				http_date_format(date_s, date);
				value->modified_at_us = begin_us + second_us;
				fake_request_init(&again);
				fake_request_header(&again, "If-Modified-Since", date);
				fake_request_header(&again, "If-Range", date);
				fake_request_header(&again, "Range", "bytes=0-0");
				cr_expect_eq(
					conditions_of_read(&again.request, value, ETAG_OF_VALUE),
					200);
				cr_expect_eq(conditions_range(&again.request, value, &offset, &len),
					     RANGE_WHOLE);
			}
}

Test(read_condition, the_date_that_was_told_is_of_use_once_the_second_is_over)
{
	char date[HTTP_DATE_LEN + 1];
	uint64_t offset, len;

	http_date_format(conditions_last_modified_s(value, value->modified_at_us + 3 * US_PER_S),
			 date);
	cr_expect_str_eq(date, "Sun, 06 Nov 1994 08:49:38 GMT");
	fake_request_header(&fake, "If-Modified-Since", date);
	fake_request_header(&fake, "If-Range", date);
	fake_request_header(&fake, "Range", "bytes=0-0");
	cr_expect_eq(conditions_of_read(&fake.request, value, ETAG_OF_VALUE), 304);
	cr_expect_eq(conditions_range(&fake.request, value, &offset, &len), RANGE_PART);
}

/* ---- Ranges ---- */

TestSuite(range_header, .init = open_fake, .fini = close_fake);

struct expected_range {
	enum range_kind kind;
	uint64_t offset, len;
};

static void expect_range(size_t value_len, const char *header, struct expected_range expected)
{
	uint64_t offset = 99;
	uint64_t len = 99;

	fake_request_header(&fake, "Range", header);
	value->len_bytes = (uint32_t)value_len; /* the bytes are not read */
	enum range_kind kind = conditions_range(&fake.request, value, &offset, &len);
	cr_expect_eq(kind, expected.kind, "%s of %zu", header, value_len);
	if (kind == RANGE_PART && expected.kind == RANGE_PART) {
		cr_expect_eq(offset, expected.offset, "%s of %zu", header, value_len);
		cr_expect_eq(len, expected.len, "%s of %zu", header, value_len);
	}
}

/* Every range up to slightly beyond values of 0 to 4 bytes. */
Test(range_header, all_small_ones)
{
	char header[64];

	for (size_t size = 0; size <= 4; size++)
		for (size_t first = 0; first <= 6; first++) {
			struct expected_range none = {.kind = RANGE_UNSATISFIABLE};
			size_t kept = first < size ? first : size;

			(void)snprintf(header, sizeof(header), "bytes=%zu-", first);
			expect_range(size, header,
				     first < size ? (struct expected_range){RANGE_PART, first,
									    size - first}
						  : none);
			(void)snprintf(header, sizeof(header), "bytes=-%zu", first);
			expect_range(
				size, header,
				kept > 0 ? (struct expected_range){RANGE_PART, size - kept, kept}
					 : none);
			for (size_t last = 0; last <= 6; last++) {
				size_t end = last < size ? last + 1 : size;
				struct expected_range expected = none;

				if (last < first)
					expected.kind = RANGE_WHOLE;
				else if (first < size)
					expected = (struct expected_range){RANGE_PART, first,
									   end - first};
				(void)snprintf(header, sizeof(header), "bytes=%zu-%zu", first,
					       last);
				expect_range(size, header, expected);
			}
		}
}

Test(range_header, blanks_zeros_and_large_numbers)
{
	expect_range(10, "bytes= 2-3 \t", (struct expected_range){RANGE_PART, 2, 2});
	expect_range(10, "bytes=0002-0003", (struct expected_range){RANGE_PART, 2, 2});
	expect_range(10, "bytes=2-9999999999999999999", (struct expected_range){RANGE_PART, 2, 8});
	expect_range(10, "bytes=-9999999999999999999", (struct expected_range){RANGE_PART, 0, 10});
	expect_range(10, "bytes=9999999999999999999-",
		     (struct expected_range){.kind = RANGE_UNSATISFIABLE});
	/* 2^64 + 2 must not become 2. */
	expect_range(10, "bytes=18446744073709551618-", (struct expected_range){0});
	expect_range(10, "bytes=0-18446744073709551618", (struct expected_range){0});
	expect_range(10, "bytes=-18446744073709551618", (struct expected_range){0});
}

Test(range_header, what_is_no_single_byte_range_is_ignored)
{
	static const char *const headers[] = {
		"",           "bytes",       "bytes=",        "bytes=-",    "bytes=--1",
		"bytes=1",    "bytes=a-b",   "bytes=1-b",     "bytes=1 -2", "bytes=1- 2",
		"bytes=+1-2", "bytes=1-2,",  "bytes=1-2,3-4", "items=1-2",  " bytes=1-2",
		"bytes=1-2x", "bytes=0x1-2", "1-2",
	};

	for (size_t i = 0; i < COUNT(headers); i++)
		expect_range(10, headers[i], (struct expected_range){.kind = RANGE_WHOLE});
}

Test(range_header, if_range_wants_exactly_this_version)
{
	static const struct {
		const char *if_range;
		enum range_kind kind;
	} cases[] = {
		{TAG_ABC, RANGE_PART},
		{TAG_EMPTY, RANGE_WHOLE},
		{"W/" TAG_ABC, RANGE_WHOLE},
		{"\"foreign\"", RANGE_WHOLE},
		{"*", RANGE_WHOLE},
		{"", RANGE_WHOLE},
		{"Sun, 06 Nov 1994 08:49:38 GMT", RANGE_PART},
		{"Sun, 06 Nov 1994 08:49:37 GMT", RANGE_WHOLE},
		{"Sun, 06 Nov 1994 08:49:39 GMT", RANGE_WHOLE},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_header(&fake, "If-Range", cases[i].if_range);
		expect_range(3, "bytes=1-", (struct expected_range){cases[i].kind, 1, 2});
	}
}
