/* Values that are decoded while they are sent: of memory, of a file, of a store that makes one
 * wait; and which form a client gets. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "handlers/handlers.h"
#include "handlers/respond/decode_stream.h"
#include "tests/support/fake_request.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEAD         "text/css\nContent-Encoding: "

/* ---- Encoded bytes ---- */

/* gzip of `len` zeros; the caller frees it. */
static struct slice gzip_zeros(size_t len)
{
	static const char zeros[65536];
	z_stream stream = {0};
	size_t room = len / 900 + 1000;
	char *out = malloc(room);

	cr_assert_eq(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_out = (Bytef *)out;
	stream.avail_out = (uInt)room;
	for (size_t left = len, some; left > 0; left -= some) {
		some = left < sizeof(zeros) ? left : sizeof(zeros);
		stream.next_in = (Bytef *)(uintptr_t)zeros;
		stream.avail_in = (uInt)some;
		cr_assert_eq(deflate(&stream, Z_NO_FLUSH), Z_OK);
		cr_assert_eq(stream.avail_in, 0);
	}
	cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&stream);
	return (struct slice){out, room - stream.avail_out};
}

static void free_slice(struct slice bytes)
{
	free((char *)(uintptr_t)bytes.data);
}

/* ---- Bodies ---- */

/* A body in memory, whose reader gives 1000 bytes, then makes one wait, and so on; with a file, if
 * `file` is not -1. */
struct fake_body {
	struct cache_body body;
	struct slice bytes;
	int file;
	size_t fails_at; /* SIZE_MAX: never */
};

struct fake_reader {
	struct body_reader reader;
	const struct fake_body *of;
	size_t at;
	bool waited;
	void (*wake)(void *user);
	void *user;
};

static unsigned open_readers, freed_bodies;

static enum body_step read_fake(struct body_reader *reader, char *room, size_t size,
				size_t *ret_len)
{
	struct fake_reader *fake = (struct fake_reader *)(void *)reader;
	size_t len = fake->of->bytes.len - fake->at;

	if (fake->at >= fake->of->fails_at)
		return BODY_STEP_FAILED;
	fake->waited = !fake->waited;
	if (fake->waited) {
		fake->wake(fake->user);
		return BODY_STEP_WAIT;
	}
	len = len < 1000 ? len : 1000;
	len = len < size ? len : size;
	memcpy(room, fake->of->bytes.data + fake->at, len);
	fake->at += len;
	*ret_len = len;
	return len > 0 ? BODY_STEP_BYTES : BODY_STEP_END;
}

static void close_fake_reader(struct body_reader *reader)
{
	open_readers--;
	free(reader);
}

static const struct body_reader_ops reader_ops = {.read = read_fake, .close = close_fake_reader};

static struct body_reader *open_fake_reader(struct cache_body *body, uint64_t offset, uint64_t len,
					    void (*wake)(void *user), void *user)
{
	struct fake_reader *fake = calloc(1, sizeof(*fake));

	(void)len;
	*fake = (struct fake_reader){
		.reader.ops = &reader_ops,
		.of = (struct fake_body *)(void *)body,
		.at = (size_t)offset,
		.wake = wake,
		.user = user,
	};
	open_readers++;
	return &fake->reader;
}

static int file_of_fake(struct cache_body *body)
{
	return ((struct fake_body *)(void *)body)->file;
}

static void free_fake_body(struct cache_body *body)
{
	freed_bodies++;
	free(body);
}

static const struct cache_body_ops body_ops = {
	.open = open_fake_reader, .file = file_of_fake, .free = free_fake_body};

static struct cache_value *value_of_body(struct slice bytes, int file, size_t fails_at)
{
	struct fake_body *fake = calloc(1, sizeof(*fake));

	*fake = (struct fake_body){
		.body = {.ops = &body_ops, .refs = 1, .len_bytes = bytes.len},
		.bytes = bytes,
		.file = file,
		.fails_at = fails_at,
	};
	struct cache_value *value = cache_value_create_for_body(&fake->body, SLICE(HEAD "gzip"));
	cr_assert(value);
	return value;
}

/* ---- Reading ---- */

static unsigned wakes;

static void wake(struct body_stream *stream)
{
	(void)stream;
	wakes++;
}

static bool is_zeros(struct slice bytes)
{
	return bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.len - 1) == 0;
}

/* Reads to the end; *ret_len: how many zeros it was. */
static enum stream_step drain(struct body_stream *stream, uint64_t *ret_len)
{
	enum stream_step step = STREAM_BYTES;

	*ret_len = 0;
	stream->wake = wake;
	while (step == STREAM_BYTES || step == STREAM_WAIT) {
		cr_assert(stream->bytes.len == 0 || is_zeros(buffer_bytes(&stream->bytes)));
		*ret_len += stream->bytes.len;
		cr_assert_leq(stream->bytes.capacity, 131072, "memory is bounded");
		stream->bytes.len = 0;
		step = stream->next(stream);
	}
	return step;
}

static void expect_zeros(struct cache_value *value, uint64_t expected, enum stream_step end)
{
	enum cache_status status;
	struct body_stream *stream = decode_stream_open(value, CODING_GZIP, &status);
	uint64_t len;

	cr_assert(stream);
	cr_expect_eq(drain(stream, &len), end);
	cr_expect_eq(len, expected);
	stream->close(stream);
	cr_expect_eq(open_readers, 0);
}

/* ---- Streams ---- */

Test(decode_stream, makes_a_little_at_a_time_of_whatever_comes)
{
	static const size_t lengths[] = {0, 1, 65535, 65536, 65537, 40000000};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct slice encoded = gzip_zeros(lengths[i]);

		expect_zeros(cache_value_copy(encoded, SLICE(HEAD "gzip")), lengths[i], STREAM_END);
		expect_zeros(value_of_body(encoded, -1, SIZE_MAX), lengths[i], STREAM_END);
		cr_expect_eq(freed_bodies, i + 1);
		free_slice(encoded);
	}
	cr_expect_gt(wakes, 3);
}

Test(decode_stream, reads_a_body_that_is_a_file)
{
	struct slice encoded = gzip_zeros(50000000);
	int file = memfd_create("encoded", MFD_CLOEXEC);

	cr_assert_gt(file, 0);
	cr_assert_eq(write(file, encoded.data, encoded.len), (ssize_t)encoded.len);
	expect_zeros(value_of_body(encoded, file, SIZE_MAX), 50000000, STREAM_END);
	/* Somebody cuts the file. */
	cr_expect_eq(ftruncate(file, 20000), 0);
	enum cache_status status;
	struct body_stream *stream =
		decode_stream_open(value_of_body(encoded, file, SIZE_MAX), CODING_GZIP, &status);
	uint64_t len;
	cr_assert(stream);
	cr_expect_eq(drain(stream, &len), STREAM_FAILED);
	stream->close(stream);
	(void)close(file);
	free_slice(encoded);
}

Test(decode_stream, fails_where_the_value_is_cut_or_its_store_fails)
{
	struct slice encoded = gzip_zeros(50000000);
	struct slice cut = {encoded.data, encoded.len - 1};
	uint64_t len;
	enum cache_status status;

	expect_zeros(cache_value_copy(cut, SLICE(HEAD "gzip")), 50000000, STREAM_FAILED);
	struct body_stream *stream =
		decode_stream_open(value_of_body(encoded, -1, 3000), CODING_GZIP, &status);
	cr_assert(stream);
	cr_expect_eq(drain(stream, &len), STREAM_FAILED);
	cr_expect_lt(len, 50000000);
	stream->close(stream);
	free_slice(encoded);
}

Test(decode_stream, is_not_opened_on_what_is_not_of_the_coding)
{
	struct cache_value *value = cache_value_copy(SLICE("plain text"), SLICE(HEAD "gzip"));
	enum cache_status status;

	cr_expect_null(decode_stream_open(value, CODING_GZIP, &status));
	cr_expect_eq(status, CACHE_INVALID);
	cr_expect_null(decode_stream_open(value, CODING_ZSTD, &status));
	cr_expect_eq(status, CACHE_INVALID);
	cr_expect(slice_equal(cache_value_bytes(value), SLICE("plain text")), "it stays ours");
	cache_value_release(value);
}

/* Blocks that make nothing would keep an event loop busy for as long as there are some. */
Test(decode_stream, gives_up_on_megabytes_that_make_nothing)
{
	static const char head[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03";
	static const char empty[] = "\0\0\0\xff\xff"; /* a stored block of no bytes */
	struct buffer bytes = {0};
	enum cache_status status;

	buffer_append(&bytes, (struct slice){head, 10});
	while (bytes.len < 2000000)
		buffer_append(&bytes, (struct slice){empty, 5});
	struct cache_value *value = cache_value_copy(buffer_bytes(&bytes), SLICE(HEAD "gzip"));
	cr_expect_null(decode_stream_open(value, CODING_GZIP, &status));
	cr_expect_eq(status, CACHE_INVALID);
	cache_value_release(value);
	buffer_deinit(&bytes);
}

/* ---- Which form a client gets ---- */

static struct fake_request fake;

enum expected { KEPT, DECODED, REFUSED };

static void get(const char *accept, const char *coding, struct slice bytes)
{
	char head[200];

	fake_request_init(&fake);
	fake.request.ns = SLICE("n");
	fake.request.key = SLICE("k");
	if (accept)
		fake_request_header(&fake, "Accept-Encoding", accept);
	(void)snprintf(head, sizeof(head), HEAD "%s", coding);
	cr_assert_eq(fake_request_start(&fake, &handler_entry_get), STEP_SUBMIT);
	held_op->one.value = cache_value_copy(bytes, slice_of(head));
	fake_request_finish(&fake, CACHE_OK);
}

Test(entry_form, is_what_the_client_takes)
{
	struct slice gzip = gzip_zeros(3);
	const struct {
		const char *accept, *coding;
		struct slice bytes;
		enum expected expected;
	} cases[] = {
		{"gzip", "gzip", gzip, KEPT},
		{"br, *;q=0.1", "gzip", gzip, KEPT},
		{"gzip, br", "gzip, br", gzip, KEPT},
		{"br", "gzip", gzip, DECODED},
		{"", "GZIP", gzip, DECODED},
		{"identity", "x-gzip", gzip, DECODED},
		{"gzip;q=0", "gzip", gzip, DECODED},
		{"gzip;q=0, *;q=0", "gzip", gzip, REFUSED},
		{"br, identity;q=0", "gzip", gzip, REFUSED},
		{"gzip", "br", gzip, REFUSED},
		{"gzip", "gzip, br", gzip, REFUSED},
		{"", "compress", gzip, REFUSED},
		{"br", "gzip", SLICE("no gzip"), REFUSED},
		/* Who says nothing gets what most can read. */
		{NULL, "gzip", gzip, DECODED},
		{NULL, "br", gzip, KEPT},
		{NULL, "gzip, br", gzip, KEPT},
		{NULL, "gzip", SLICE("no gzip"), KEPT},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		get(cases[i].accept, cases[i].coding, cases[i].bytes);
		const char *coding = fake_response_header(&fake, "Content-Encoding");
		const char *tag = fake_response_header(&fake, "ETag");
		enum expected expected = cases[i].expected;

		cr_expect_eq(fake.response.status, expected == REFUSED ? 406 : 200, "case %zu", i);
		cr_expect_eq(coding != NULL, expected == KEPT, "case %zu", i);
		cr_expect_str_eq(fake_response_header(&fake, "Vary"), "Accept-Encoding");
		cr_expect_eq(tag && strstr(tag, "-identity\""), expected == DECODED, "case %zu", i);
		cr_expect_eq(fake.response.body == BODY_STREAM, expected == DECODED);
		cr_expect_eq(fake.response.is_guarded, expected == DECODED);
		cr_expect_eq(fake_response_header(&fake, "Accept-Ranges") != NULL,
			     expected == KEPT);
		fake_request_close(&fake);
	}
	free_slice(gzip);
}

Test(entry_form, conditions_and_ranges_are_those_of_the_form)
{
	struct slice gzip = gzip_zeros(3);
	struct etag etag = etag_of(gzip);
	char plain[ETAG_TEXT_LEN + 1], identity[ETAG_TEXT_LEN + 10];

	etag_format(&etag, plain);
	(void)snprintf(identity, sizeof(identity), "%.33s-identity\"", plain);
	const struct {
		const char *accept, *name, *value;
		unsigned status;
	} cases[] = {
		{"gzip", "If-None-Match", plain, 304},  {"gzip", "If-None-Match", identity, 200},
		{"br", "If-None-Match", plain, 200},    {"br", "If-None-Match", identity, 304},
		{NULL, "If-None-Match", identity, 304}, {"br", "If-Match", plain, 412},
		{"br", "If-Match", identity, 200},      {"gzip", "Range", "bytes=1-2", 206},
		{"br", "Range", "bytes=1-2", 200},      {"br", "Range", "bytes=999-", 200},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fake_request_init(&fake);
		fake.request.ns = SLICE("n");
		fake.request.key = SLICE("k");
		if (cases[i].accept)
			fake_request_header(&fake, "Accept-Encoding", cases[i].accept);
		fake_request_header(&fake, cases[i].name, cases[i].value);
		cr_assert_eq(fake_request_start(&fake, &handler_entry_get), STEP_SUBMIT);
		held_op->one.value = cache_value_copy(gzip, SLICE(HEAD "gzip"));
		fake_request_finish(&fake, CACHE_OK);
		cr_expect_eq(fake.response.status, cases[i].status, "case %zu: %u", i,
			     fake.response.status);
		fake_request_close(&fake);
	}
	free_slice(gzip);
}
