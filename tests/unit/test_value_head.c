/* Heads of values: what is kept, in which form, and what is no head. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/value_head.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct value_head_room room;
static char filler[VALUE_HEAD_MAX_LEN + 1];

static void begin(const char *type)
{
	memset(filler, 'f', sizeof(filler));
	value_head_begin(&room, slice_of(type));
}

static enum value_head_verdict add(const char *name, const char *value)
{
	return value_head_add(&room, slice_of(name), slice_of(value));
}

static void expect_text(const char *text)
{
	cr_expect(slice_equal(value_head_text(&room), slice_of(text)), "%.*s", (int)room.len,
		  room.text);
	cr_expect(value_head_is_valid(value_head_text(&room)), "%s", text);
}

Test(value_head, writes_names_in_one_way)
{
	static const struct {
		const char *given, *written; /* NULL: not kept */
	} cases[] = {
		{"content-encoding", "Content-Encoding"},
		{"CONTENT-LANGUAGE", "Content-Language"},
		{"Content-disposition", "Content-Disposition"},
		{"cache-control", "Cache-Control"},
		{"x-artifact-tag", "X-Artifact-Tag"},
		{"X-Artifact-duration", "X-Artifact-Duration"},
		{"x-META-Build", "X-Meta-build"},
		{"x-meta-!#$%&'*+.^_`|~-09aZ", "X-Meta-!#$%&'*+.^_`|~-09az"},
		{"x-meta-", NULL},
		{"x-meta", NULL},
		{"X-Meta-a b", NULL},
		{"X-Meta-a:b", NULL},
		{"X-Meta-\n", NULL},
		{"X-Meta-\x7f", NULL},
		{"X-Meta-\xc3\xa4", NULL},
		{"Content-Type", NULL},
		{"Set-Cookie", NULL},
		{"Content-Encodin", NULL},
		{"Content-Encodings", NULL},
		{"", NULL},
	};
	char written[VALUE_HEADER_NAME_MAX_LEN + 1];

	for (size_t i = 0; i < COUNT(cases); i++) {
		bool kept = value_head_name(slice_of(cases[i].given), written);

		cr_expect_eq(kept, cases[i].written != NULL, "%s", cases[i].given);
		if (kept && cases[i].written)
			cr_expect_str_eq(written, cases[i].written);
	}
	cr_expect_not(value_head_name((struct slice){"X-Meta-\0", 8}, written));
	memset(filler, 'f', sizeof(filler));
	memcpy(filler, "X-Meta-", 7);
	cr_expect(value_head_name((struct slice){filler, VALUE_HEADER_NAME_MAX_LEN}, written));
	cr_expect_eq(strlen(written), VALUE_HEADER_NAME_MAX_LEN);
	cr_expect_not(
		value_head_name((struct slice){filler, VALUE_HEADER_NAME_MAX_LEN + 1}, written));
}

Test(value_head, has_one_order_whatever_came_first)
{
	begin("text/html");
	cr_expect_eq(add("x-meta-b", "2"), HEAD_ADDED);
	cr_expect_eq(add("x-artifact-tag", "t"), HEAD_ADDED);
	cr_expect_eq(add("x-meta-a", "1"), HEAD_ADDED);
	cr_expect_eq(add("content-encoding", "gzip"), HEAD_ADDED);
	cr_expect_eq(add("cache-control", "no-store"), HEAD_ADDED);
	cr_expect_eq(add("x-meta-ab", "3"), HEAD_ADDED);
	cr_expect_eq(add("x-artifact-duration", "12"), HEAD_ADDED);
	expect_text("text/html\nCache-Control: no-store\nContent-Encoding: gzip\n"
		    "X-Artifact-Duration: 12\nX-Artifact-Tag: t\nX-Meta-a: 1\nX-Meta-ab: 3\n"
		    "X-Meta-b: 2");
}

Test(value_head, refuses_and_stays_as_it_was)
{
	begin("text/html");
	cr_expect_eq(add("Content-Encoding", "gzip"), HEAD_ADDED);
	cr_expect_eq(add("content-encoding", "br"), HEAD_TWICE);
	cr_expect_eq(add("X-Meta-A", "1"), HEAD_ADDED);
	cr_expect_eq(add("x-meta-a", "1"), HEAD_TWICE);
	cr_expect_eq(add("Set-Cookie", "a=b"), HEAD_NOT_KEPT);
	cr_expect_eq(add("X-Meta-B", ""), HEAD_BAD_VALUE);
	cr_expect_eq(add("X-Meta-B", "a\r\nSet-Cookie: a=b"), HEAD_BAD_VALUE);
	cr_expect_eq(add("X-Meta-B", "a\nb"), HEAD_BAD_VALUE);
	cr_expect_eq(add("X-Meta-B", "\xc3\xa4"), HEAD_BAD_VALUE);
	cr_expect_eq(add("X-Meta-B", "\x7f"), HEAD_BAD_VALUE);
	cr_expect_eq(value_head_add(&room, SLICE("X-Meta-B"), SLICE("a\0")), HEAD_BAD_VALUE);
	expect_text("text/html\nContent-Encoding: gzip\nX-Meta-a: 1");
	cr_expect_eq(add("X-Meta-B", "a\tb: c"), HEAD_ADDED);
	expect_text("text/html\nContent-Encoding: gzip\nX-Meta-a: 1\nX-Meta-b: a\tb: c");
}

Test(value_head, keeps_2048_bytes_of_headers_beside_any_type)
{
	for (size_t type_len = 1; type_len <= CONTENT_TYPE_MAX_LEN; type_len += 127) {
		begin("");
		value_head_begin(&room, (struct slice){filler, type_len});
		cr_assert_eq(add("X-Meta-a", "1"), HEAD_ADDED); /* 12 bytes, and 11 */
		size_t left = VALUE_HEADERS_MAX_LEN - 12 - 11;
		cr_expect_eq(
			value_head_add(&room, SLICE("X-Meta-b"), (struct slice){filler, left + 1}),
			HEAD_TOO_LONG);
		cr_expect_eq(room.len, type_len + 12);
		cr_expect_eq(value_head_add(&room, SLICE("X-Meta-b"), (struct slice){filler, left}),
			     HEAD_ADDED);
		cr_expect_eq(room.len, type_len + VALUE_HEADERS_MAX_LEN);
		cr_expect(value_head_is_valid(value_head_text(&room)));
		cr_expect_eq(add("X-Meta-c", "1"), HEAD_TOO_LONG);
		/* One byte more, which nobody but a store can have. */
		char longer[VALUE_HEAD_MAX_LEN + 1];
		memcpy(longer, room.text, room.len);
		longer[room.len] = 'x';
		cr_expect_not(value_head_is_valid((struct slice){longer, room.len + 1}));
	}
}

Test(value_head, gives_back_what_was_added)
{
	struct slice rest, name, value;

	begin("a/b");
	cr_expect_eq(value_head_headers(value_head_text(&room)).len, 0);
	cr_expect_eq(add("Content-Encoding", "gzip"), HEAD_ADDED);
	cr_expect_eq(add("X-Meta-a", " b:  c "), HEAD_ADDED);
	struct slice head = value_head_text(&room);
	cr_expect(slice_equal(value_head_type(head), SLICE("a/b")));
	cr_expect(slice_equal(value_head_find(head, SLICE("Content-Encoding")), SLICE("gzip")));
	cr_expect(slice_equal(value_head_find(head, SLICE("X-Meta-a")), SLICE(" b:  c ")));
	cr_expect_null(value_head_find(head, SLICE("X-Meta-")).data);
	cr_expect_null(value_head_find(head, SLICE("content-encoding")).data);
	rest = value_head_headers(head);
	cr_assert(value_head_next(&rest, &name, &value));
	cr_expect(slice_equal(name, SLICE("Content-Encoding")));
	cr_assert(value_head_next(&rest, &name, &value));
	cr_expect(slice_equal(name, SLICE("X-Meta-a")));
	cr_expect(slice_equal(value, SLICE(" b:  c ")));
	cr_expect_not(value_head_next(&rest, &name, &value));
}

Test(value_head, is_valid_only_as_it_is_written)
{
	static const struct slice bad[] = {
		SLICE(""),
		SLICE("\nX-Meta-a: 1"),
		SLICE("a/b\n"),
		SLICE("a/b\nX-Meta-a: 1\n"),
		SLICE("a/b\n\nX-Meta-a: 1"),
		SLICE("a/b\nX-Meta-a: 1\n\nX-Meta-b: 1"),
		SLICE("a/b\nX-Meta-A: 1"),
		SLICE("a/b\nx-meta-a: 1"),
		SLICE("a/b\ncontent-encoding: gzip"),
		SLICE("a/b\nX-Meta-a:1"),
		SLICE("a/b\nX-Meta-a:"),
		SLICE("a/b\nX-Meta-a: "),
		SLICE("a/b\nX-Meta-a"),
		SLICE("a/b\nX-Meta-a;"),
		SLICE("a/b\nX-Meta-a;1 2"),
		SLICE("a/b\nX-Meta-a:\t2"),
		SLICE("a/b\nX-Meta-b: 1\nX-Meta-a: 1"),
		SLICE("a/b\nX-Meta-a: 1\nX-Meta-a: 1"),
		SLICE("a/b\nX-Meta-a: 1\nContent-Encoding: gzip"),
		SLICE("a/b\nSet-Cookie: a=b"),
		SLICE("a/b\nContent-Type: text/html"),
		SLICE("a/b\nX-Meta-a: 1\r\nX-Meta-b: 2"),
		SLICE("a/b\r\nX-Meta-a: 1"),
		SLICE("a/b\nX-Meta-a: \0"),
		SLICE("a\0b"),
		SLICE("a/\xc3\xa4"),
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not(value_head_is_valid(bad[i]), "%zu: %.*s", i, (int)bad[i].len,
			      bad[i].data);
	cr_expect(value_head_is_valid(SLICE("a/b")));
	memset(filler, 'f', sizeof(filler));
	cr_expect(value_head_is_valid((struct slice){filler, CONTENT_TYPE_MAX_LEN}));
	cr_expect_not(value_head_is_valid((struct slice){filler, CONTENT_TYPE_MAX_LEN + 1}));
}

/* Any damage to a head makes it another valid one, or is seen; nothing is read beyond its end
 * (which AddressSanitizer would report: the copy has no byte more). */
Test(value_head, survives_any_byte_and_any_length)
{
	static const char whole[] = "a/b\nContent-Encoding: gzip\nX-Meta-a: 1";
	static const char bytes[] = {'\0', '\n', '\r', ' ', ':', 'A', 'x', (char)0xff};

	for (size_t len = 0; len < sizeof(whole); len++)
		for (size_t at = 0; at < len; at++)
			for (size_t i = 0; i < sizeof(bytes); i++) {
				char *copy = malloc(len);
				struct slice head = {copy, len}, rest, name, value;
				size_t seen = 0;

				memcpy(copy, whole, len);
				copy[at] = bytes[i];
				(void)value_head_is_valid(head);
				rest = value_head_headers(head);
				while (value_head_next(&rest, &name, &value))
					seen += name.len + value.len;
				cr_assert_leq(seen, len);
				free(copy);
			}
}
