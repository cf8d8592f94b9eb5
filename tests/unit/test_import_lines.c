/* Lines of an import, read by both readers; and cursors of an export. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/json_out.h"
#include "handlers/transfer/export_line.h"
#include "handlers/transfer/export_place.h"
#include "handlers/transfer/import_line.h"
#include "handlers/transfer/import_marks.h"
#include "tests/support/fake_request.h"
#include "tests/support/random.h"

static char error[IMPORT_ERROR_BYTES];

static enum import_kind read_line(const char *text, struct import_entry *ret)
{
	char *copy = strdup(text);

	error[0] = '\0';
	struct import_line_result line;
	enum import_kind kind =
		import_line_read(&fake_context, SLICE(""), copy, strlen(copy), &line, error);
	free(copy);
	if (kind == LINE_ENTRY)
		*ret = line.entry;
	return kind;
}

/* Both readers: the unknown member makes the fast one give up. */
#define ENTRY(members) "{\"namespace\":\"n\",\"key\":\"k\",\"value\":\"v\"," members "}"
#define SLOW           ",\"x\":[]"

static void expect_history(const char *text, uint64_t frequency, int64_t created_us,
			   int64_t last_access_us, int64_t expires_us)
{
	struct import_entry entry;

	cr_assert_eq(read_line(text, &entry), LINE_ENTRY, "%s: %s", text, error);
	cr_expect_eq(entry.history.frequency, frequency, "%s", text);
	cr_expect_eq(entry.history.created_at_us, created_us, "%s: %ld", text,
		     (long)entry.history.created_at_us);
	cr_expect_eq(entry.history.last_access_us, last_access_us, "%s: %ld", text,
		     (long)entry.history.last_access_us);
	cr_expect_eq(entry.history.expires_at_us, expires_us, "%s: %ld", text,
		     (long)entry.history.expires_at_us);
	import_entry_deinit(&entry);
}

Test(import_lines, numbers_are_exact)
{
	/* Values that a double could not tell from their neighbours would be lost here. */
	expect_history(ENTRY("\"frequency\":4294967295,\"created_at\":1795612963.919055,"
			     "\"last_access\":9007199254.740991,\"expires_at\":1"),
		       4294967295, 1795612963919055, 9007199254740991, 1000000);
	expect_history(ENTRY("\"frequency\":4294967295,\"created_at\":1795612963.919055,"
			     "\"last_access\":1795612963.000001,\"expires_at\":1" SLOW),
		       4294967295, 1795612963919055, 1795612963000001, 1000000);
	expect_history(ENTRY("\"frequency\":0,\"created_at\":0.1,\"last_access\":0.0000005"), 0,
		       100000, 1, HISTORY_TTL);
	expect_history(ENTRY("\"created_at\":1.99999949,\"expires_at\":null"), 0, 1999999, 0, 0);
	expect_history(ENTRY("\"last_access\":null,\"frequency\":3.0" SLOW), 3, 0, 0, HISTORY_TTL);
	/* Both readers have the same rule. */
	expect_history(ENTRY("\"frequency\":1e3,\"created_at\":1.5e3"), 1000, 1500000000, 0,
		       HISTORY_TTL);
	expect_history(ENTRY("\"frequency\":1e3,\"created_at\":1.5e3" SLOW), 1000, 1500000000, 0,
		       HISTORY_TTL);
}

Test(import_lines, numbers_that_are_none_are_refused)
{
	static const char *const bad[] = {
		"\"created_at\":-1",    "\"created_at\":9007199254.740992",
		"\"created_at\":.5",    "\"created_at\":1.2.3",
		"\"created_at\":true",  "\"frequency\":-1",
		"\"frequency\":1.5",    "\"frequency\":4294967296",
		"\"created_at\":\"1\"", "\"frequency\":99999999999999999999",
		"\"created_at\":007",   "\"frequency\":01",
		"\"created_at\":abc",   "\"size\":1.5e0",
		"\"size\":-1",          "\"expires_at\":[]",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (int slow = 0; slow < 2; slow++) {
			struct import_entry entry;
			char text[200];

			(void)snprintf(text, sizeof(text), ENTRY("%s%s"), bad[i], slow ? SLOW : "");
			cr_expect_eq(read_line(text, &entry), LINE_BAD, "%s", text);
			cr_expect(error[0] != '\0', "%s", text);
		}
}

Test(import_lines, kinds)
{
	struct import_entry entry;

	cr_expect_eq(
		read_line("{\"steadycache_export\":1,\"server_version\":\"\",\"created_at\":1}",
			  &entry),
		LINE_HEADER);
	cr_expect_eq(read_line("{\"steadycache_export\":1,\"later\":{}}", &entry), LINE_HEADER);
	cr_expect_eq(read_line("{\"steadycache_export\":2}", &entry), LINE_UNKNOWN_FORMAT);
	cr_expect_eq(read_line("{\"steadycache_export\":2,\"later\":{}}", &entry),
		     LINE_UNKNOWN_FORMAT);
	cr_expect_eq(read_line("{\"complete\":true,\"entries\":1}", &entry), LINE_COMPLETE);
	cr_expect_eq(read_line("{\"complete\":false,\"error\":\"e\",\"cursor\":\"c\"}", &entry),
		     LINE_OTHER);
	cr_expect_eq(read_line("{\"cursor\":\"c\"}", &entry), LINE_CURSOR);
	cr_expect_eq(read_line("{\"complete\":abc}", &entry), LINE_BAD);
	cr_expect_eq(read_line("{\"complete\":1}", &entry), LINE_BAD);
	cr_expect_eq(read_line("{\"complete\":true,\"entries\":-1}", &entry), LINE_BAD);
	cr_expect_eq(read_line("{\"complete\":true,\"entries\":007}", &entry), LINE_BAD);
	cr_expect_eq(read_line("{}", &entry), LINE_BAD);
	cr_expect_eq(read_line("[]", &entry), LINE_BAD);
	cr_expect_eq(
		read_line("{\"namespace\":\"n\",\"key\":\"k\",\"key_base64\":\"\",\"value\":\"\"}",
			  &entry),
		LINE_BAD);
}

Test(import_lines, a_key_that_is_too_long)
{
	struct import_entry entry;
	char text[4096];

	(void)snprintf(text, sizeof(text), "{\"namespace\":\"n\",\"key\":\"%0*d\",\"value\":\"\"}",
		       (int)fake_context.max_key_bytes + 1, 0);
	cr_assert_lt(fake_context.max_key_bytes, 4000);
	cr_expect_eq(read_line(text, &entry), LINE_BAD);
}

Test(export_places, come_back_as_they_were)
{
	static const struct slice keys[] = {{"", 0}, SLICE("k"), SLICE("\0\xff"), SLICE("abc")};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct export_place place = {.process_us = 1795612963919055}, back = {0};
		struct buffer text = {0};

		cr_assert(export_place_set(&place, "name", keys[i]));
		export_place_append(&text, &place);
		buffer_append_char(&text, '\0');
		cr_assert_eq(text.data[text.len - 2], '"');
		text.data[text.len - 2] = '\0';
		cr_assert_eq(export_place_parse(&back, text.data + 1), CURSOR_GOOD);
		cr_expect_str_eq(back.ns, "name");
		cr_expect_eq(back.process_us, place.process_us);
		cr_expect(slice_equal((struct slice){back.key, back.key_len}, keys[i]));
		/* No part of it is valid. */
		text.data[12] = '\0';
		struct export_place none = {0};
		cr_expect_eq(export_place_parse(&none, text.data + 1), CURSOR_BAD);
		export_place_deinit(&place);
		export_place_deinit(&back);
		buffer_deinit(&text);
	}
}

/* ---- There and back ---- */

/* Up to `max` bytes: any, or often those of text. */
static struct slice random_bytes(char *room, size_t max, bool is_type)
{
	size_t len = random_below(max) + is_type;
	bool any = random_below(2);

	for (size_t i = 0; i < len; i++) {
		int byte = (int)random_below(any ? 256 : 96) + (any ? 0 : 32);

		/* No type has ever had these. */
		if (is_type && (byte < ' ' || byte == 0x7F))
			byte = 0xE4;
		room[i] = (char)byte;
	}
	return (struct slice){.data = room, .len = len};
}

/* Whatever the bytes of keys, types and values, including types that an earlier version has
 * stored. */
Test(import_lines, an_export_is_always_imported)
{
	for (int i = 0; i < 20000; i++) {
		char key[90], type[CONTENT_TYPE_MAX_LEN], bytes[300];
		struct cache_value *value =
			cache_value_copy(random_bytes(bytes, sizeof(bytes), false),
					 random_bytes(type, sizeof(type) - 1, true));
		struct cache_entry_info info = {.key = random_bytes(key, sizeof(key), false),
						.frequency = random_below(5),
						.last_access_us = (int64_t)random_below(1U << 31),
						.created_at_us = (int64_t)random_below(1U << 31)};
		struct export_line line = {.ns = "n", .info = &info, .value = value};
		struct import_line_result back;
		struct buffer text = {0};

		while (!export_line_append(&text, &line, SIZE_MAX))
			;
		enum import_kind kind = import_line_read(&fake_context, SLICE(""), text.data,
							 text.len - 1, &back, error);
		cr_assert_eq(kind, LINE_ENTRY, "%s: %.*s", error, (int)text.len, text.data);
		cr_assert(slice_equal(back.entry.item.key, info.key));
		cr_assert(slice_equal(cache_value_bytes(back.entry.item.value),
				      cache_value_bytes(value)));
		cr_assert_str_eq(cache_value_content_type(back.entry.item.value),
				 cache_value_content_type(value));
		cr_assert_eq(back.entry.history.created_at_us, info.created_at_us);
		import_entry_deinit(&back.entry);
		cache_value_release(value);
		buffer_deinit(&text);
	}
}

Test(import_lines, headers_come_back)
{
	const char *head = "text/plain\nCache-Control: no-store\nContent-Encoding: gzip\n"
			   "X-Artifact-Tag: \"a\\b\"\nX-Meta-a: 1\t2";
	struct cache_value *value = cache_value_copy(SLICE("v"), slice_of(head));
	struct cache_entry_info info = {.key = SLICE("k")};
	struct export_line line = {.ns = "n", .info = &info, .value = value};
	struct buffer text = {0};
	struct import_entry entry;

	while (!export_line_append(&text, &line, SIZE_MAX))
		;
	buffer_append_char(&text, '\0');
	cr_expect(strstr(text.data, ",\"headers\":{\"Cache-Control\":\"no-store\","), "%s",
		  text.data);
	cr_assert_eq(read_line(text.data, &entry), LINE_ENTRY, "%s: %s", text.data, error);
	cr_expect(slice_equal(cache_value_head(entry.item.value), slice_of(head)));
	import_entry_deinit(&entry);
	cache_value_release(value);
	buffer_deinit(&text);
	cr_assert_eq(read_line(ENTRY("\"headers\":{ \"x-META-B\" : \"\\u0032\" ,\"x-meta-a\":"
				     "\"1\"}"),
			       &entry),
		     LINE_ENTRY, "%s", error);
	cr_expect(slice_equal(cache_value_head(entry.item.value),
			      SLICE(CONTENT_TYPE_TEXT "\nX-Meta-a: 1\nX-Meta-b: 2")),
		  "%.*s", (int)cache_value_head(entry.item.value).len,
		  cache_value_head(entry.item.value).data);
	import_entry_deinit(&entry);
	cr_assert_eq(read_line(ENTRY("\"headers\":{}"), &entry), LINE_ENTRY, "%s", error);
	cr_expect(slice_equal(cache_value_head(entry.item.value), SLICE(CONTENT_TYPE_TEXT)));
	import_entry_deinit(&entry);
}

/* Nothing in a file can become a header that nobody would have been allowed to send. */
Test(import_lines, headers_that_are_refused)
{
	static const char *const bad[] = {
		ENTRY("\"headers\":\"Content-Encoding: gzip\""),
		ENTRY("\"headers\":null"),
		ENTRY("\"headers\":[\"a\"]"),
		ENTRY("\"headers\":{\"X-Meta-a\":1}"),
		ENTRY("\"headers\":{\"X-Meta-a\":{\"X-Meta-b\":\"1\"}}"),
		ENTRY("\"headers\":{\"Set-Cookie\":\"a=b\"}"),
		ENTRY("\"headers\":{\"Content-Type\":\"text/html\"}"),
		ENTRY("\"headers\":{\"X-Meta-a\":\"1\\r\\nSet-Cookie: a=b\"}"),
		ENTRY("\"headers\":{\"X-Meta-a\\r\\nSet-Cookie\":\"a=b\"}"),
		ENTRY("\"headers\":{\"X-Meta-a\":\"\\u0000\"}"),
		ENTRY("\"headers\":{\"X-Meta-a\":\"\\u00e4\"}"),
		ENTRY("\"headers\":{\"X-Meta-a\":\"\"}"),
		ENTRY("\"headers\":{\"X-Meta-a\":\"1\",\"x-meta-A\":\"2\"}"),
		ENTRY("\"headers\":{\"\":\"2\"}"),
		ENTRY("\"content_type_base64\":\"w6Q=\",\"headers\":{\"X-Meta-a\":\"2\"}"),
	};
	struct import_entry entry;
	char *longest = malloc(8000);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(read_line(bad[i], &entry), LINE_BAD, "%s", bad[i]);
		cr_expect(strstr(error, "\"headers\""), "%s: %s", bad[i], error);
	}
	(void)snprintf(longest, 8000, ENTRY("\"headers\":{\"X-Meta-%0100d\":\"2\"}"), 1);
	cr_expect_eq(read_line(longest, &entry), LINE_BAD);
	(void)snprintf(longest, 8000, ENTRY("\"headers\":{\"X-Meta-a\":\"%02048d\"}"), 1);
	cr_expect_eq(read_line(longest, &entry), LINE_BAD);
	cr_expect(strstr(error, "2048"), "%s", error);
	free(longest);
}

/* Cursors that say nothing new take no room, and many are compared in no time. */
Test(import_lines, an_export_counts_from_a_cursor)
{
	struct buffer marks = {0};

	for (size_t i = 0; i < 1000000; i++)
		import_marks_note(&marks, i / 100 * 3);
	cr_expect_eq(marks.len, 10000 * sizeof(uint64_t));
	for (size_t i = 0; i < 1000000; i++)
		cr_assert_eq(import_marks_fit(&marks, 30000, i), i <= 30000 && i > 0 && i % 3 == 0,
			     "%zu", i);
	buffer_deinit(&marks);
}
