/* Decoders of gzip and zstd: any split of the input, any end, any damage. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/coding.h"

#define PLAIN_BYTES 100000

static char plain[PLAIN_BYTES];

static void fill(void)
{
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (char)("text that repeats, but not quite "[i % 33] + (int)(i / 977 % 5));
}

TestSuite(coding, .init = fill);

static struct slice gzip_of(struct slice bytes)
{
	z_stream stream = {0};
	char *out = malloc(bytes.len + 1000);

	cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)bytes.data;
	stream.avail_in = (uInt)bytes.len;
	stream.next_out = (Bytef *)out;
	stream.avail_out = (uInt)bytes.len + 1000;
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&stream);
	return (struct slice){out, bytes.len + 1000 - stream.avail_out};
}

static struct slice zstd_of(struct slice bytes, int window_log)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();
	char *out = malloc(bytes.len + 1000);
	ZSTD_inBuffer from = {bytes.data, bytes.len, 0};
	ZSTD_outBuffer to = {out, bytes.len + 1000, 0};
	ZSTD_inBuffer none = {NULL, 0, 0};

	cr_assert(context);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
	/* In two steps, so that the frame does not tell its length, and has the window. */
	cr_assert_not(ZSTD_isError(ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue)));
	cr_assert_eq(ZSTD_compressStream2(context, &to, &none, ZSTD_e_end), 0);
	(void)ZSTD_freeCCtx(context);
	return (struct slice){out, to.pos};
}

static struct slice encode(enum coding coding, struct slice bytes)
{
	return coding == CODING_GZIP ? gzip_of(bytes) : zstd_of(bytes, 20);
}

static struct slice joined(struct slice a, struct slice b)
{
	char *both = malloc(a.len + b.len + 1);

	memcpy(both, a.data, a.len);
	memcpy(both + a.len, b.data, b.len);
	return (struct slice){both, a.len + b.len};
}

/* Decodes `in`, given in pieces of `piece` bytes, into steps of `room` bytes. Expects the beginning
 * of `expected`; *ret_len: how much of it. */
static enum coding_step decode(enum coding coding, struct slice in, size_t piece, size_t room,
			       struct slice expected, size_t *ret_len, bool *ret_complete)
{
	struct coding_decoder *decoder = coding_decoder_create(coding);
	char *out = malloc(room);
	enum coding_step step = CODING_GOES_ON;
	size_t len;

	cr_assert(decoder);
	*ret_len = 0;
	while (step == CODING_GOES_ON) {
		struct slice given = {in.data, in.len < piece ? in.len : piece};
		size_t before = given.len;

		do {
			step = coding_decoder_step(decoder, &given, out, room, &len);
			if (step != CODING_GOES_ON)
				break;
			cr_assert_leq(*ret_len + len, expected.len);
			cr_assert_eq(memcmp(out, expected.data + *ret_len, len), 0);
			*ret_len += len;
		} while (len == room);
		if (step != CODING_GOES_ON)
			break;
		cr_assert_eq(given.len, 0, "all of it is taken");
		in = (struct slice){in.data + before, in.len - before};
		if (in.len == 0)
			break;
	}
	*ret_complete = coding_decoder_is_complete(decoder);
	coding_decoder_destroy(decoder);
	free(out);
	return step;
}

static void expect_whole(enum coding coding, struct slice encoded, size_t piece, size_t room,
			 struct slice expected)
{
	bool is_complete;
	size_t len;

	cr_assert_eq(decode(coding, encoded, piece, room, expected, &len, &is_complete),
		     CODING_GOES_ON);
	cr_expect_eq(len, expected.len, "%d %zu %zu", coding, piece, room);
	cr_expect(is_complete);
}

Test(coding, is_found_by_its_name)
{
	static const char *const foreign[] = {"", "br", "gzi", "gzips", "gzip,br", "x-zstd", "*"};
	enum coding coding;

	cr_expect(coding_find(SLICE("GZip"), &coding) && coding == CODING_GZIP);
	cr_expect(coding_find(SLICE("x-gzip"), &coding) && coding == CODING_GZIP);
	cr_expect(coding_find(SLICE("zstd"), &coding) && coding == CODING_ZSTD);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		cr_expect_not(coding_find(slice_of(foreign[i]), &coding), "%s", foreign[i]);
}

Test(coding, decodes_whatever_the_pieces)
{
	static const size_t sizes[] = {1, 7, 4096, PLAIN_BYTES + 1000};
	struct slice whole = {plain, sizeof(plain)};

	for (int coding = CODING_GZIP; coding <= CODING_ZSTD; coding++) {
		struct slice encoded = encode((enum coding)coding, whole);

		for (size_t i = 0; i < 16; i++)
			expect_whole((enum coding)coding, encoded, sizes[i / 4], sizes[i % 4],
				     whole);
		free((char *)(uintptr_t)encoded.data);
	}
}

Test(coding, takes_members_one_after_the_other_and_nothing)
{
	for (int coding = CODING_GZIP; coding <= CODING_ZSTD; coding++) {
		struct slice one = encode((enum coding)coding, SLICE("one "));
		struct slice none = encode((enum coding)coding, SLICE(""));
		struct slice first = joined(one, none), all = joined(first, one);

		expect_whole((enum coding)coding, all, 1, 100, SLICE("one one "));
		expect_whole((enum coding)coding, all, 1000, 1, SLICE("one one "));
		expect_whole((enum coding)coding, none, 1, 1, SLICE(""));
		expect_whole((enum coding)coding, SLICE(""), 1, 1, SLICE(""));
		free((char *)(uintptr_t)one.data);
		free((char *)(uintptr_t)none.data);
		free((char *)(uintptr_t)first.data);
		free((char *)(uintptr_t)all.data);
	}
}

Test(coding, tells_what_was_cut_off)
{
	struct slice whole = {plain, 3000};

	for (int coding = CODING_GZIP; coding <= CODING_ZSTD; coding++) {
		struct slice encoded = encode((enum coding)coding, whole);

		for (size_t len = 1; len < encoded.len; len++) {
			bool is_complete;
			size_t made;

			cr_assert_eq(decode((enum coding)coding, (struct slice){encoded.data, len},
					    50, 500, whole, &made, &is_complete),
				     CODING_GOES_ON);
			cr_assert_not(is_complete, "%d: %zu of %zu", coding, len, encoded.len);
		}
		free((char *)(uintptr_t)encoded.data);
	}
}

/* gzip has a checksum of all, zstd's here has none: but what is no frame is seen. */
Test(coding, refuses_what_it_is_not)
{
	struct slice whole = {plain, 3000};
	struct slice gzip = gzip_of(whole), zstd = zstd_of(whole, 20);
	struct slice trailing = joined(gzip, SLICE("and more"));
	struct slice wide = zstd_of(whole, 24);
	const struct {
		enum coding coding;
		struct slice in;
	} cases[] = {
		{CODING_GZIP, SLICE("not gzip")},
		{CODING_ZSTD, SLICE("not zstd")},
		{CODING_GZIP, zstd},
		{CODING_ZSTD, gzip},
		{CODING_GZIP, trailing},
		{CODING_ZSTD, wide},
	};
	bool is_complete;
	size_t made;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(
			decode(cases[i].coding, cases[i].in, 100, 100, whole, &made, &is_complete),
			CODING_BAD, "case %zu", i);
	((char *)(uintptr_t)gzip.data)[gzip.len - 5] ^= 1; /* the checksum */
	cr_expect_eq(decode(CODING_GZIP, gzip, 100, 100, whole, &made, &is_complete), CODING_BAD);
	free((char *)(uintptr_t)gzip.data);
	free((char *)(uintptr_t)zstd.data);
	free((char *)(uintptr_t)trailing.data);
	free((char *)(uintptr_t)wide.data);
}
