/* handlers/json/json_read.c, which reads all of JSON: against jansson, and beyond its limits. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/json_out.h"
#include "base/utf8.h"
#include "handlers/json/json_number.h"
#include "handlers/json/json_read.h"
#include "tests/support/random.h"

enum { KEY, SIZE, ANY, MEMBERS };
enum { ITEM_KEY, ITEM_TTL, ITEM_MEMBERS };

static struct scan_member members[MEMBERS];
static struct scan_list list;
static struct json_fault fault;
static struct slice unknown;
static char *copy;

static bool read_text(struct slice text)
{
	static const struct scan_member item[ITEM_MEMBERS] = {
		[ITEM_KEY] = {.name = SLICE("key")},
		[ITEM_TTL] = {.name = SLICE("ttl"), .type = SCAN_WHOLE},
	};

	free(copy);
	copy = malloc(text.len + 1); /* separate, so that ASan sees reads beyond its end */
	memcpy(copy, text.data, text.len);
	free(list.found);
	members[KEY] = (struct scan_member){.name = SLICE("key")};
	members[SIZE] = (struct scan_member){.name = SLICE("size"), .type = SCAN_WHOLE};
	members[ANY] = (struct scan_member){.name = SLICE("any"), .type = SCAN_ANY};
	list = (struct scan_list){.name = SLICE("items"),
				  .members = item,
				  .member_count = ITEM_MEMBERS,
				  .max_count = 3};
	unknown = (struct slice){0};
	return json_read(copy, text.len, members, MEMBERS, &list, &unknown, &fault);
}

static bool read(const char *text)
{
	return read_text(slice_of(text));
}

static void expect_string(const struct scan_member *member, const char *expected)
{
	cr_expect(member->found && slice_equal(member->string, slice_of(expected)),
		  "%.*s is not %s", (int)member->string.len, member->string.data, expected);
}

Test(json_read, passes_over_what_is_not_asked_for)
{
	cr_assert(read("\xEF\xBB\xBF {\"x\":123456789012345678901234567890,\"y\":1e999,"
		       "\"z\":[[],{},{\"a\":[null,true,false,-0.5E-2]},\"\\ud800\"],"
		       "\"\\udfff\":0,\"k\\u0065y\":\"\\u00e9\\ud83d\\ude00\\n\",\"size\":1e3}"));
	expect_string(&members[KEY], "\xC3\xA9\xF0\x9F\x98\x80\n");
	cr_expect_eq(members[SIZE].whole, 1000);
	cr_expect_not(members[ANY].found);
	cr_expect(slice_equal(unknown, SLICE("x")));
}

Test(json_read, the_last_of_one_name_counts)
{
	cr_assert(read("{\"key\":1,\"key\":\"a\",\"key\":\"b\",\"items\":[{\"key\":\"x\"}],"
		       "\"items\":[{\"ttl\":7.0}]}"));
	expect_string(&members[KEY], "b");
	cr_assert_eq(list.count, 1);
	cr_expect_not(list.found[ITEM_KEY].found);
	cr_expect_eq(list.found[ITEM_TTL].whole, 7);
}

Test(json_read, tells_what_is_of_another_type)
{
	cr_assert(read("{\"key\":7,\"size\":\"7\",\"any\":null,\"items\":[{},7,{\"key\":[]}]}"));
	cr_expect(members[KEY].found && !members[KEY].string.data);
	cr_expect_eq(members[SIZE].whole, -1);
	cr_expect_eq(members[ANY].kind, KIND_NULL);
	cr_expect_eq(list.first_wrong, 1);
	cr_expect(!list.found[2 * ITEM_MEMBERS + ITEM_KEY].string.data);
	cr_assert(read("{\"items\":{}}"));
	cr_expect(list.is_there && !list.is_array);
	cr_assert(read("{\"any\":false}"));
	expect_string(&members[ANY], "false");
}

Test(json_read, a_long_list_is_counted_and_not_kept)
{
	cr_assert(read("{\"items\":[{},{},{\"key\":\"c\"},{\"key\":\"d\"},5]}"));
	cr_expect_eq(list.count, 5);
	cr_expect_eq(list.first_wrong, SIZE_MAX);
	expect_string(&list.found[2 * ITEM_MEMBERS + ITEM_KEY], "c");
}

Test(json_read, half_a_surrogate_pair_has_its_place)
{
	static const char *const halves[] = {"\\ud800",        "\\udfff",        "\\ud800x",
					     "\\ud800\\ud800", "\\udc00\\ud800", "\\uD83D\\n"};

	for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
		char text[100];

		(void)snprintf(text, sizeof(text), "{\"items\":[{},{\"key\":\"a%s\"}]}", halves[i]);
		cr_assert_not(read(text), "%s", text);
		cr_expect_str_eq(fault.path, "items[1].key");
		cr_expect(list.found == NULL && list.count == 0);
		(void)snprintf(text, sizeof(text), "{\"key\":\"%s\"}", halves[i]);
		cr_assert_not(read(text));
		cr_expect_str_eq(fault.path, "key");
	}
}

Test(json_read, mistakes_have_their_place)
{
	static const struct {
		const char *text;
		size_t line, column;
	} cases[] = {
		{"", 1, 1},
		{"{", 1, 2},
		{"{\"key\":\"a\\nb\",\n\"b\" 1}", 2, 5},
		{"{\"a\":007}", 1, 6},
		{"{\"a\":abc}", 1, 6},
		{"{} x", 1, 4},
		{"{\"a\":1,}", 1, 8},
		{"[1,]", 1, 4},
		{"{\"a\":\"\t\"}", 1, 7},
		{"{\"key\":1 \"b\":2}", 1, 10},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_not(read(cases[i].text), "%s", cases[i].text);
		cr_expect(fault.line == cases[i].line && fault.column == cases[i].column,
			  "%s: line %zu, column %zu: %s", cases[i].text, fault.line, fault.column,
			  fault.what);
	}
	cr_assert_not(read("[]"));
	cr_expect_eq(fault.line, 0);
	cr_assert_not(read_text(SLICE("{\"a\":\"\xFF\"}")));
	cr_expect_eq(fault.line, 0);
}

Test(json_read, depth_has_a_limit_and_no_text_takes_the_stack)
{
	struct buffer text = {0};

	for (size_t depth = JSON_DEPTH_MAX - 1; depth <= 2000000; depth += 999999) {
		text.len = 0;
		json_out_raw(&text, "{\"x\":");
		for (size_t i = 0; i < depth; i++)
			buffer_append_char(&text, '[');
		for (size_t i = 0; i < depth; i++)
			buffer_append_char(&text, ']');
		json_out_raw(&text, "}");
		bool good = read_text(buffer_bytes(&text));
		cr_expect_eq(good, depth <= JSON_DEPTH_MAX);
		cr_expect(good || strstr(fault.what, "512"), "%s", fault.what);
	}
	buffer_deinit(&text);
}

/* ---- Against jansson ---- */

static void append_random(struct buffer *out, int depth)
{
	static const char *const scalars[] = {
		"0",
		"-1",
		"1.5",
		"1e3",
		"-0.0",
		"true",
		"null",
		"false",
		"\"\"",
		"\"k\"",
		"\"\\u00e9\\t\"",
		"\"\\\\\\\"\"",
		"\"\xC3\xA4\"",
		"123456",
		"0.001e+2",
		"[]",
		"{}",
	};
	static const char *const names[] = {"key", "size", "any", "items", "ttl", "x", "", "\\n"};
	bool is_object = random_below(2);

	if (depth == 0 || random_below(3) == 0) {
		json_out_raw(out, scalars[random_below(sizeof(scalars) / sizeof(scalars[0]))]);
		return;
	}
	buffer_append_char(out, is_object ? '{' : '[');
	for (uint64_t i = 0, count = random_below(4); i < count; i++) {
		json_out_raw(out, i > 0 ? " ,\n" : "");
		if (is_object)
			buffer_printf(out, "\"%s\"\t:",
				      names[random_below(sizeof(names) / sizeof(names[0]))]);
		append_random(out, depth - 1);
	}
	buffer_append_char(out, is_object ? '}' : ']');
}

static void compare(struct slice text)
{
	json_error_t error;
	json_t *root = json_loadb(text.data, text.len, JSON_ALLOW_NUL, &error);
	bool good = read_text(text);

	/* Nobody looks for the empty name and its value. */
	cr_assert_eq(good, json_is_object(root), "%.*s: %s, %s", (int)text.len, text.data,
		     fault.what ? fault.what : "good", root ? "good" : error.text);
	if (good) {
		const json_t *key = json_object_get(root, "key");
		const json_t *size = json_object_get(root, "size");

		cr_assert_eq(members[KEY].found, key != NULL);
		cr_assert_eq(members[KEY].string.data != NULL, json_is_string(key));
		if (json_is_string(key))
			cr_assert(slice_equal(
				members[KEY].string,
				((struct slice){json_string_value(key), json_string_length(key)})));
		double number = json_number_value(size);
		bool is_whole = json_is_number(size) && number >= 0 && number == trunc(number);
		cr_assert_eq(members[SIZE].found && members[SIZE].whole >= 0, is_whole, "%.*s",
			     (int)text.len, text.data);
		cr_assert(!is_whole || (double)members[SIZE].whole == number);
		const json_t *items = json_object_get(root, "items");
		cr_assert_eq(list.is_array, json_is_array(items));
		cr_assert_eq(list.count, json_array_size(items));
	}
	json_decref(root);
}

Test(json_read, agrees_with_jansson_on_random_texts)
{
	for (int i = 0; i < 100000; i++) {
		struct buffer text = {0};

		append_random(&text, 4);
		compare(buffer_bytes(&text));
		/* Damaged ones too. */
		for (uint64_t k = random_below(3); k > 0 && text.len > 0; k--)
			text.data[random_below(text.len)] =
				"{}[]\",:\\ 0e-\n\xC3u"[random_below(15)];
		compare((struct slice){.data = text.data, .len = random_below(text.len + 1)});
		buffer_deinit(&text);
	}
}

/* ---- Numbers ---- */

Test(json_number, is_what_the_rfc_says)
{
	static const char *const good[] = {"0",   "-0",   "10",      "0.10",
					   "1e3", "1E+3", "-1.5e-7", "0e0"};
	static const char *const bad[] = {"",   "-",   "007", "01",   "1.", ".5",   "+1",
					  "1e", "1e+", "abc", "0x10", "1 ", "1.e3", "Infinity"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(json_number_is(slice_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(json_number_is(slice_of(bad[i])), "%s", bad[i]);
}

Test(json_number, whole_ones_however_they_are_written)
{
	static const struct {
		const char *text;
		int64_t whole; /* -1: none */
	} cases[] = {
		{"0", 0},
		{"-0", 0},
		{"-0.0e5", 0},
		{"1e3", 1000},
		{"1.0", 1},
		{"1.50e2", 150},
		{"1500e-2", 15},
		{"1.5", -1},
		{"1e-1", -1},
		{"-1", -1},
		{"1e18", 1000000000000000000},
		{"1e19", -1},
		{"0e999999999", 0},
		{"1e99999999999", -1},
		{"1e-99999999999", -1},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", -1},
		{"92233720368547758070e-1", INT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t whole = -1;

		cr_expect_eq(json_number_whole(slice_of(cases[i].text), INT64_MAX, &whole),
			     cases[i].whole >= 0, "%s", cases[i].text);
		cr_expect_eq(whole, cases[i].whole, "%s: %ld", cases[i].text, (long)whole);
	}
}
