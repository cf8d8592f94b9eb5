/* The headers that an entry keeps, without a socket: what a PUT stores and what a GET returns. */
#include <criterion/criterion.h>

#include "handlers/handlers.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TAG_ABC      "\"ba7816bf8f01cfea414140de5dae2223\"" /* of "abc" */
#define NOW_S        INT64_C(784111777)

static struct fake_request fake;

static void open_fake(void)
{
	fake_request_init(&fake);
	fake.request.ns = SLICE("n");
	fake.request.key = SLICE("k");
	fake_now_us = NOW_S * US_PER_S;
}

static void close_fake(void)
{
	fake_request_close(&fake);
}

static void expect_header(const char *name, const char *expected)
{
	const char *value = fake_response_header(&fake, name);

	cr_expect_str_eq(value ? value : "(none)", expected ? expected : "(none)", "%s: %s", name,
			 value ? value : "(none)");
}

/* ---- PUT ---- */

TestSuite(put_headers, .init = open_fake, .fini = close_fake);

static void expect_head(const char *head)
{
	cr_assert_eq(fake_request_start(&fake, &handler_entry_put), STEP_SUBMIT);
	struct slice made = cache_value_head(held_op->one.value);
	cr_expect(slice_equal(made, slice_of(head)), "%.*s", (int)made.len, made.data);
}

Test(put_headers, are_those_that_are_kept)
{
	fake_request_header(&fake, "content-type", "text/css");
	fake_request_header(&fake, "x-artifact-tag", "t");
	fake_request_header(&fake, "X-META-Two", "2");
	fake_request_header(&fake, "Content-Encoding", "gzip");
	fake_request_header(&fake, "X-Request-Id", "7");
	fake_request_header(&fake, "Cookie", "a=b");
	fake_request_header(&fake, "Content-MD5", "x");
	fake_request_header(&fake, "Cache-Control", "max-age=5");
	expect_head("text/css\nCache-Control: max-age=5\nContent-Encoding: gzip\n"
		    "X-Artifact-Tag: t\nX-Meta-two: 2");
}

Test(put_headers, need_no_content_type)
{
	fake_request_header(&fake, "X-Meta-a", "1");
	expect_head(CONTENT_TYPE_BYTES "\nX-Meta-a: 1");
}

Test(put_headers, that_say_nothing_are_left_out)
{
	fake_request_header(&fake, "Content-Encoding", "Identity");
	fake_request_header(&fake, "X-Meta-a", "");
	fake_request_header(&fake, "X-Meta-", "1");
	expect_head(CONTENT_TYPE_BYTES);
}

Test(put_headers, that_cannot_be_kept_are_refused)
{
	static char longest[2100], name[90];
	const struct {
		const char *name, *value;
		unsigned status;
	} cases[] = {
		{"X-Meta-a", "\xC3\xA4", 400},
		{"Content-Disposition", "attachment; filename=\xE4", 400},
		{"X-Meta-first", "twice", 400},
		{"X-Meta-a", longest, 431},
		{name, "1", 431},
	};

	memset(longest, 'l', 2048 - 11 - 16 + 1);
	memset(name, 'n', 80);
	memcpy(name, "X-Meta-", 7);
	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_header(&fake, "X-Meta-First", "1"); /* 16 bytes, with its line feed */
		fake_request_more(&fake, cases[i].name, cases[i].value);
		cr_assert_eq(fake_request_start(&fake, &handler_entry_put), STEP_RESPOND, "%zu", i);
		cr_expect_eq(fake.response.status, cases[i].status, "%zu: %u", i,
			     fake.response.status);
		close_fake();
		open_fake();
	}
	longest[2048 - 11 - 16] = '\0';
	fake_request_header(&fake, "X-Meta-First", "1");
	fake_request_header(&fake, "X-Meta-a", longest);
	cr_expect_eq(fake_request_start(&fake, &handler_entry_put), STEP_SUBMIT);
}

/* ---- GET ---- */

TestSuite(get_headers, .init = open_fake, .fini = close_fake);

/* "abc" with `head`, stored ten seconds ago, for 70 seconds more. */
static void hit(const char *head)
{
	cr_assert_eq(fake_request_start(&fake, &handler_entry_get), STEP_SUBMIT);
	held_op->one.value = cache_value_copy(SLICE("abc"), slice_of(head));
	held_op->one.value->modified_at_us = fake_now_us - 10 * US_PER_S;
	held_op->one.value->expires_at_us = fake_now_us + 70 * US_PER_S;
	fake_request_finish(&fake, CACHE_OK);
}

Test(get_headers, are_sent_with_the_value)
{
	hit("text/css\nContent-Disposition: inline\nContent-Language: de\nX-Meta-a: 1");
	cr_expect_eq(fake.response.status, 200);
	expect_header("Content-Type", "text/css");
	expect_header("Content-Disposition", "inline");
	expect_header("Content-Language", "de");
	expect_header("X-Meta-a", "1");
	expect_header("Cache-Control", "max-age=80");
	expect_header("Vary", NULL);
}

Test(get_headers, of_the_clients_own_caching_replace_ours)
{
	hit("text/css\nCache-Control: public, immutable");
	expect_header("Cache-Control", "public, immutable");
	for (size_t i = 0; i < fake.response.header_count; i++)
		cr_expect_str_neq(fake.response.headers[i].name, "Cache-Control");
}

Test(get_headers, are_sent_with_parts_and_with_304)
{
	fake_request_header(&fake, "Range", "bytes=1-1");
	hit("text/css\nX-Meta-a: 1");
	cr_expect_eq(fake.response.status, 206);
	expect_header("X-Meta-a", "1");
	close_fake();
	open_fake();
	fake_request_header(&fake, "If-None-Match", TAG_ABC);
	hit("text/css\nCache-Control: private\nX-Meta-a: 1");
	cr_expect_eq(fake.response.status, 304);
	expect_header("X-Meta-a", "1");
	expect_header("Cache-Control", "private");
}

Test(get_headers, are_not_sent_with_an_error)
{
	fake_request_header(&fake, "If-Match", "\"x\"");
	hit("text/css\nCache-Control: private\nX-Meta-a: 1");
	cr_expect_eq(fake.response.status, 412);
	expect_header("X-Meta-a", NULL);
	expect_header("Cache-Control", "no-store");
}

Test(get_headers, of_an_encoding_vary_by_what_clients_accept)
{
	fake_request_header(&fake, "Accept-Encoding", "br, gzip");
	hit("text/css\nContent-Encoding: gzip");
	cr_expect_eq(fake.response.status, 200);
	expect_header("Content-Encoding", "gzip");
	expect_header("Vary", "Accept-Encoding");
	expect_header("ETag", TAG_ABC);
}
