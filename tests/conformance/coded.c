/* Values that are kept compressed (the setting `compression`), over HTTP. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>

#include "base/value_zstd.h"

CONFORMANCE_SUITE(coded);

#define LEN 6000

static char text[LEN + 1];

/* A namespace with compression that has a value which becomes shorter. Behind a store for all
 * values nothing is compressed: false. */
static bool prepare(void)
{
	requires_feature("compression");
	if (getenv("STEADYCACHE_TEST_LARGE"))
		return false;
	for (size_t i = 0; i < LEN; i++)
		text[i] = (char)('a' + i * i % 23);
	expect_status(configure("'compression':'zstd'"), 204);
	expect_status(http_put(client, entry_path("k"), slice_of(text), "Content-Type: text/css"),
		      201);
	return true;
}

static void expect_text(const struct http_answer *answer)
{
	expect_status(answer, 200);
	expect_body(answer, slice_of(text));
	expect_header(answer, "Content-Encoding", NULL);
	expect_header(answer, "Vary", "Accept-Encoding");
}

static void expect_frame(const struct http_answer *answer)
{
	struct cache_value *kept = cache_value_copy(http_body(answer), SLICE("a/b"));
	struct etag etag = kept->etag;
	struct cache_value *decoded = NULL;

	expect_status(answer, 200);
	expect_header(answer, "Content-Encoding", "zstd");
	expect_header(answer, "Vary", "Accept-Encoding");
	expect_header(answer, "Content-Type", "text/css");
	cache_value_seal_known(kept, &etag, CACHE_VALUE_ZSTD);
	cr_assert_eq(value_zstd_decode(kept, &decoded), CACHE_OK);
	cr_expect(slice_equal(cache_value_bytes(decoded), slice_of(text)));
	cr_expect_lt(kept->len_bytes, LEN);
	cache_value_release(decoded);
	cache_value_release(kept);
}

Test(coded, only_who_takes_zstd_gets_it)
{
	static const char *const others[] = {
		"Accept-Encoding: gzip, br", "Accept-Encoding: zstd;q=0, *",
		"Accept-Encoding: identity, *;q=0.5", "Accept-Encoding:"};

	if (!prepare())
		return;
	expect_text(http_get(client, entry_path("k")));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		expect_text(http_get(client, entry_path("k"), others[i]));
	expect_frame(http_get(client, entry_path("k"), "Accept-Encoding: gzip, zstd"));
}

Test(coded, each_form_has_a_tag_of_its_own)
{
	static char plain[64], coded[64];

	if (!prepare())
		return;
	(void)snprintf(plain, sizeof(plain), "%s",
		       http_header(http_get(client, entry_path("k")), "ETag"));
	(void)snprintf(coded, sizeof(coded), "%.*s-zstd\"", (int)strlen(plain) - 1, plain);
	expect_header(http_get(client, entry_path("k"), "Accept-Encoding: zstd"), "ETag", coded);
	const char *if_plain = quoted("If-None-Match: %s", plain);
	expect_status(http_get(client, entry_path("k"), if_plain), 304);
	const char *if_coded = quoted("If-None-Match: %s", coded);
	expect_status(http_get(client, entry_path("k"), if_coded), 200);
	const struct http_answer *answer =
		http_get(client, entry_path("k"), if_coded, "Accept-Encoding: zstd");
	expect_status(answer, 304);
	expect_header(answer, "ETag", coded);
	expect_header(answer, "Vary", "Accept-Encoding");
	expect_status(
		http_put(client, entry_path("k"), SLICE("other"), quoted("If-Match: %s", coded)),
		204);
	expect_status(http_delete(client, entry_path("k"), quoted("If-Match: %s", coded)), 412);
}

Test(coded, ranges_and_heads_are_of_what_was_stored)
{
	static char len[32];

	if (!prepare())
		return;
	const struct http_answer *answer =
		http_get(client, entry_path("k"), "Range: bytes=10-19", "Accept-Encoding: zstd");
	expect_status(answer, 206);
	expect_header(answer, "Content-Encoding", NULL);
	const struct slice part = {text + 10, 10};
	expect_body(answer, part);
	expect_header(http_head(client, entry_path("k")), "Content-Length", "6000");
	answer = http_get(client, entry_path("k"), "Accept-Encoding: zstd");
	(void)snprintf(len, sizeof(len), "%zu", http_body(answer).len);
	answer = http_head(client, entry_path("k"), "Accept-Encoding: zstd");
	expect_header(answer, "Content-Length", len);
	expect_header(answer, "Content-Encoding", "zstd");
}

Test(coded, listings_count_what_is_kept_and_batches_get_what_was_stored)
{
	if (!prepare())
		return;
	const struct http_answer *answer = batch("get", "'keys':['k']");
	expect_status(answer, 200);
	expect_that(answer, strstr(http_body(answer_).data, text), "expected the text");
	cr_expect_lt(listed_number("k", "size"), LEN);
	expect_status(configure("'compression':'none'"), 204);
	expect_text(http_get(client, entry_path("k")));
}
