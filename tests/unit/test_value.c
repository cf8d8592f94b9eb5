/* Values and their entity tags. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/value.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Entity tag ---- */

Test(etag, is_the_first_half_of_sha_256)
{
	char text[ETAG_TEXT_LEN + 1];
	struct etag etag = etag_of(SLICE("abc"));

	etag_format(&etag, text);
	cr_expect_str_eq(text, "\"ba7816bf8f01cfea414140de5dae2223\"");
	etag = etag_of((struct slice){0});
	etag_format(&etag, text);
	cr_expect_str_eq(text, "\"e3b0c44298fc1c149afbf4c8996fb924\"");
}

Test(etag, reads_back_what_it_wrote)
{
	for (unsigned i = 0; i < 256; i++) {
		struct etag etag;
		struct etag again;
		char text[ETAG_TEXT_LEN + 1];

		memset(etag.bytes, (int)i, sizeof(etag.bytes));
		etag.bytes[i % 16] = (uint8_t)~i;
		etag_format(&etag, text);
		cr_assert_eq(strlen(text), ETAG_TEXT_LEN);
		cr_assert(etag_parse(slice_of(text), &again));
		cr_assert(etag_equal(&etag, &again), "%s", text);
	}
}

Test(etag, refuses_what_it_never_writes)
{
	static const char *const bad[] = {
		"",
		"\"\"",
		"\"ba7816bf8f01cfea414140de5dae222\"",
		"\"ba7816bf8f01cfea414140de5dae22233\"",
		"ba7816bf8f01cfea414140de5dae2223",
		"'ba7816bf8f01cfea414140de5dae2223'",
		"\"ba7816bf8f01cfea414140de5dae2223x",
		"xba7816bf8f01cfea414140de5dae2223\"",
		"\"BA7816BF8F01CFEA414140DE5DAE2223\"",
		"\"ba7816bf8f01cfea414140de5dae222g\"",
		"\"ba7816bf8f01cfea414140de5dae22 3\"",
		"\"/a7816bf8f01cfea414140de5dae2223\"",
		"\":a7816bf8f01cfea414140de5dae2223\"",
		"W/\"ba7816bf8f01cfea414140de5dae2223\"",
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct etag etag = {.bytes = {42}};

		cr_expect_not(etag_parse(slice_of(bad[i]), &etag), "%s", bad[i]);
		cr_expect_eq(etag.bytes[0], 42, "%s changes the result", bad[i]);
	}
}

/* ---- Value ---- */

Test(value, keeps_content_types_known_and_foreign)
{
	static const char *const types[] = {
		CONTENT_TYPE_TEXT,
		CONTENT_TYPE_BYTES,
		"application/json",
		"image/jpeg",
		"application/jso",
		"image/jpegs",
		"x",
		"text/x; a=\"b\"",
	};

	for (size_t i = 0; i < COUNT(types); i++) {
		struct cache_value *value = cache_value_copy(SLICE("bytes"), slice_of(types[i]));

		cr_expect_str_eq(cache_value_content_type(value), types[i]);
		cr_expect(slice_equal(cache_value_bytes(value), SLICE("bytes")), "%s", types[i]);
		cache_value_release(value);
	}
}

Test(value, content_types_empty_or_too_long_become_bytes)
{
	char type[CONTENT_TYPE_MAX_LEN + 1];
	struct cache_value *value = cache_value_create(1, (struct slice){0});

	cr_expect_str_eq(cache_value_content_type(value), CONTENT_TYPE_BYTES);
	cache_value_release(value);
	memset(type, 't', sizeof(type));
	value = cache_value_create(1, (struct slice){.data = type, .len = sizeof(type) - 1});
	cr_expect_eq(strlen(cache_value_content_type(value)), CONTENT_TYPE_MAX_LEN);
	cache_value_release(value);
	value = cache_value_create(1, (struct slice){.data = type, .len = sizeof(type)});
	cr_expect_str_eq(cache_value_content_type(value), CONTENT_TYPE_BYTES);
	cache_value_release(value);
}

/* Known types are common, and neither a head that begins with one nor its type is one. */
Test(value, keeps_heads_and_tells_their_types)
{
	static const char *const heads[] = {
		"text/plain\nContent-Encoding: gzip",
		"text/foreign\nCache-Control: max-age=60\nX-Meta-a: 1",
		"a\nX-Meta-b: 2",
	};

	for (size_t i = 0; i < COUNT(heads); i++) {
		struct cache_headroom headroom = {.record_bytes = 8, .key_len = 3};
		struct slice head = slice_of(heads[i]), type = value_head_type(head);
		struct cache_value *value =
			cache_value_copy_with_headroom(SLICE("bytes"), head, headroom);

		memset(value->storage, 'k', 3);
		cr_expect(slice_equal(cache_value_head(value), head), "%s", heads[i]);
		cr_expect(slice_equal(slice_of(cache_value_content_type(value)), type));
		cr_expect(slice_equal(cache_value_bytes(value), SLICE("bytes")));
		value = cache_value_resize(value, 10000);
		cr_expect(slice_equal(cache_value_head(value), head), "%s", heads[i]);
		cr_expect_eq(memcmp(cache_value_data(value), "bytes", 5), 0);
		cr_expect_eq(cache_value_memory_bytes(value),
			     8 + sizeof(*value) + 3 + type.len + 1 + head.len + 10000);
		cache_value_release(value);
	}
}

Test(value, keeps_the_longest_head)
{
	static struct value_head_room room;
	static char filler[VALUE_HEAD_MAX_LEN];

	memset(filler, 'f', sizeof(filler));
	value_head_begin(&room, (struct slice){filler, CONTENT_TYPE_MAX_LEN});
	cr_assert_eq(value_head_add(&room, SLICE("X-Meta-a"), (struct slice){filler, 2048 - 11}),
		     HEAD_ADDED);
	struct slice head = value_head_text(&room);
	cr_assert_eq(head.len, VALUE_HEAD_MAX_LEN);
	struct cache_value *value = cache_value_copy(SLICE("v"), head);
	cr_expect(slice_equal(cache_value_head(value), head));
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("v")));
	cache_value_release(value);
}

/* A store may have been written by somebody else: nothing of it may reach an answer that a header
 * must not have. */
Test(value, of_a_head_that_is_none_only_the_type_counts)
{
	static const struct slice heads[] = {
		SLICE("text/plain\nSet-Cookie: a=b"),
		SLICE("text/plain\nX-Meta-a: 1\nX-Meta-a: 2"),
		SLICE("text/plain\nX-Meta-a: 1\r\nSet-Cookie: a=b"),
		SLICE("text/plain\n"),
		SLICE("text/plain\n\nbody"),
		SLICE("text/plain\nX-Meta-a: \0"),
	};
	static char huge[70000];

	for (size_t i = 0; i < COUNT(heads); i++) {
		struct cache_value *value = cache_value_copy(SLICE("v"), heads[i]);

		cr_expect(slice_equal(cache_value_head(value), SLICE("text/plain")), "%zu", i);
		cr_expect(slice_equal(cache_value_bytes(value), SLICE("v")));
		cache_value_release(value);
	}
	memset(huge, 'h', sizeof(huge));
	memcpy(huge, "a/b\nX-Meta-a: ", 14);
	struct cache_value *value =
		cache_value_copy(SLICE("v"), (struct slice){huge, sizeof(huge)});
	cr_expect(slice_equal(cache_value_head(value), SLICE("a/b")));
	cache_value_release(value);
	value = cache_value_copy(SLICE("v"), SLICE("\nX-Meta-a: 1"));
	cr_expect(slice_equal(cache_value_head(value), SLICE(CONTENT_TYPE_BYTES)));
	cache_value_release(value);
}

Test(value, resizes_with_its_content_type)
{
	struct cache_value *value = cache_value_create(4, SLICE("text/foreign"));

	memcpy(cache_value_data(value), "abcd", 4);
	value = cache_value_resize(value, 100000);
	memset(cache_value_data(value) + 4, 'x', 100000 - 4);
	cr_expect_eq(memcmp(cache_value_data(value), "abcdxx", 6), 0);
	value = cache_value_resize(value, 2);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("ab")));
	cr_expect_str_eq(cache_value_content_type(value), "text/foreign");
	cr_expect_null(cache_value_resize(value, SIZE_MAX), "the old one stands");
	cr_expect_eq(value->len_bytes, 2);
	value = cache_value_resize(value, 0);
	cr_expect_eq(value->len_bytes, 0);
	cache_value_release(value);
}

Test(value, refuses_lengths_beyond_memory)
{
	cr_expect_null(cache_value_create(SIZE_MAX, SLICE("a/b")));
	cr_expect_null(cache_value_create(SIZE_MAX / 2 + 1, SLICE("a/b")));
}

Test(value, the_seal_tells_text_from_bytes)
{
	static const struct {
		struct slice bytes;
		uint8_t flags;
	} cases[] = {
		{SLICE(""), CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN},
		{SLICE("gASVCgAA+/=="), CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN},
		{SLICE("say \"x\""), CACHE_VALUE_UTF8},
		{SLICE("\xC3\xA4"), CACHE_VALUE_UTF8},
		{SLICE("\0"), CACHE_VALUE_UTF8},
		{SLICE("\xFF"), 0},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cache_value *value = cache_value_copy(cases[i].bytes, SLICE("a/b"));
		struct etag etag = etag_of(cases[i].bytes);

		cr_expect_eq(value->flags, cases[i].flags, "case %zu", i);
		cr_expect(etag_equal(&value->etag, &etag), "case %zu", i);
		cache_value_release(value);
	}
}

/* AddressSanitizer would report a use after free or a leak. */
Test(value, lives_until_its_last_reference_goes)
{
	struct cache_value *value = cache_value_copy(SLICE("v"), SLICE("a/b"));

	cr_expect_eq(cache_value_acquire(value), value);
	cache_value_release(value);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("v")));
	cache_value_release(value);
	cache_value_release(NULL);
}

/* ---- Room for a record and a key ---- */

Test(value, room_leaves_type_and_bytes_alone_also_when_resized)
{
	static const char *const types[] = {CONTENT_TYPE_TEXT, "x/y; z"};

	for (size_t i = 0; i < COUNT(types); i++) {
		struct cache_headroom headroom = {.record_bytes = 40, .key_len = 300};
		struct cache_value *value = cache_value_copy_with_headroom(
			SLICE("some bytes"), slice_of(types[i]), headroom);

		memset((char *)value - 40, 'r', 40);
		memset(value->storage, 'k', 300);
		cr_expect(slice_equal(cache_value_bytes(value), SLICE("some bytes")));
		cr_expect_str_eq(cache_value_content_type(value), types[i]);
		value = cache_value_resize(value, 1000000);
		cr_assert(value);
		cr_expect_eq(value->len_bytes, 1000000);
		value = cache_value_resize(value, 4);
		cr_expect(slice_equal(cache_value_bytes(value), SLICE("some")));
		cr_expect_str_eq(cache_value_content_type(value), types[i]);
		for (size_t at = 0; at < 40; at++)
			cr_assert_eq(((char *)value)[(long)at - 40], 'r');
		for (size_t at = 0; at < 300; at++)
			cr_assert_eq(value->storage[at], 'k');
		cache_value_release(value);
	}
}

Test(value, headroom_is_claimed_once_and_only_where_it_fits)
{
	struct cache_headroom headroom = {.record_bytes = 56, .key_len = 3};
	struct cache_value *value =
		cache_value_copy_with_headroom(SLICE("v"), SLICE("a/b"), headroom);

	cr_expect_not(cache_value_claim_headroom(value, (struct cache_headroom){48, 3}));
	cr_expect_not(cache_value_claim_headroom(value, (struct cache_headroom){56, 4}));
	cr_expect_not(cache_value_is_claimed(value));
	cr_expect(cache_value_claim_headroom(value, headroom));
	cr_expect(cache_value_is_claimed(value));
	cr_expect_not(cache_value_claim_headroom(value, headroom));
	cache_value_release(value);
}

Test(value, longer_than_a_length_can_say_is_refused)
{
	cr_expect_null(cache_value_create((size_t)UINT32_MAX + 1, SLICE("a/b")));
}

/* A store may have been written by somebody else: a flag that says where the bytes are is not
 * believed. */
Test(value, takes_no_flags_from_a_store_that_are_never_stored)
{
	struct cache_value *value = cache_value_create(64, SLICE(CONTENT_TYPE_BYTES));
	struct etag etag = {.bytes = {1}};

	memset(cache_value_data(value), 'A', 64);
	cache_value_seal_known(value, &etag, UINT8_MAX);
	cr_expect_eq(value->flags, CACHE_VALUE_UTF8 | CACHE_VALUE_JSON_PLAIN |
					   CACHE_VALUE_REFERENCE | CACHE_VALUE_ZSTD);
	cr_expect_null(cache_value_body(value));
	value->flags = 0;
	cache_value_release(value);
}
