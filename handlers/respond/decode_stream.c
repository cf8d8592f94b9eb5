#include "handlers/respond/decode_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* How much is made at a time. */
#define OUT_BYTES 65536
/* How much of a body is read at a time. */
#define IN_BYTES 32768
/* Encoded bytes in a row of which nothing comes. Nobody who means well has more (a gzip header may
 * have a name and a comment); whoever means ill would keep an event loop busy with them. */
#define BARREN_BYTES_MAX (UINT64_C(1) << 20)

struct decode_stream {
	struct body_stream stream;
	struct cache_value *value;
	struct coding_decoder *decoder;
	uint64_t at; /* of the value: how much has been given to the decoder, or is in `rest` */
	struct slice rest;
	uint64_t barren_bytes;
	enum cache_status failure;
	/* Of a body: where it is read from, and the bytes that were read. */
	int file; /* -1: the reader */
	struct body_reader *reader;
	char *in;
};

static struct decode_stream *of(struct body_stream *stream)
{
	return (struct decode_stream *)(void *)stream;
}

static enum stream_step fail(struct decode_stream *decode, enum cache_status status)
{
	decode->failure = status;
	return STREAM_FAILED;
}

static void wake(void *user)
{
	struct decode_stream *decode = user;

	decode->stream.wake(&decode->stream);
}

static enum body_step read_file(const struct decode_stream *decode, size_t *ret_len)
{
	ssize_t got;

	do
		got = pread(decode->file, decode->in, IN_BYTES, (off_t)decode->at);
	while (got < 0 && errno == EINTR);
	*ret_len = got > 0 ? (size_t)got : 0;
	return got > 0 ? BODY_STEP_BYTES : BODY_STEP_FAILED;
}

static enum body_step read_body(struct decode_stream *decode, size_t *ret_len)
{
	if (decode->file >= 0)
		return read_file(decode, ret_len);
	if (!decode->reader) {
		struct cache_body *body = cache_value_body(decode->value);

		decode->reader = body->ops->open(body, 0, body->len_bytes, wake, decode);
		if (!decode->reader)
			return BODY_STEP_FAILED;
	}
	return decode->reader->ops->read(decode->reader, decode->in, IN_BYTES, ret_len);
}

/* Fetches encoded bytes. STREAM_BYTES: they are in `rest`. */
static enum stream_step fetch(struct decode_stream *decode)
{
	struct slice bytes = cache_value_bytes(decode->value);
	size_t len = 0;

	if (!decode->in) {
		decode->rest = (struct slice){bytes.data + decode->at, bytes.len - decode->at};
		if (decode->rest.len > IN_BYTES)
			decode->rest.len = IN_BYTES;
		decode->at += decode->rest.len;
		return STREAM_BYTES;
	}
	switch (read_body(decode, &len)) {
	case BODY_STEP_BYTES:
		decode->rest = (struct slice){decode->in, len};
		decode->at += len;
		return STREAM_BYTES;
	case BODY_STEP_WAIT:
		return STREAM_WAIT;
	case BODY_STEP_END:
	case BODY_STEP_FAILED:
		break;
	}
	return fail(decode, CACHE_UNAVAILABLE);
}

static enum stream_step next(struct body_stream *stream)
{
	struct decode_stream *decode = of(stream);
	uint64_t whole = cache_value_whole_len(decode->value);

	if (!buffer_reserve(&stream->bytes, OUT_BYTES))
		return fail(decode, CACHE_NO_MEMORY);
	for (;;) {
		size_t before = decode->rest.len, len = 0;
		enum coding_step step = coding_decoder_step(decode->decoder, &decode->rest,
							    stream->bytes.data, OUT_BYTES, &len);

		if (step != CODING_GOES_ON)
			return fail(decode, step == CODING_BAD ? CACHE_INVALID : CACHE_NO_MEMORY);
		decode->barren_bytes = len > 0 ? 0 : decode->barren_bytes + before;
		stream->bytes.len = len;
		if (len > 0)
			return STREAM_BYTES;
		if (decode->barren_bytes > BARREN_BYTES_MAX)
			return fail(decode, CACHE_INVALID);
		if (decode->at == whole)
			return coding_decoder_is_complete(decode->decoder)
				       ? STREAM_END
				       : fail(decode, CACHE_INVALID);
		enum stream_step fetched = fetch(decode);
		if (fetched != STREAM_BYTES)
			return fetched;
	}
}

/* Frees all but the value. */
static void destroy(struct decode_stream *decode)
{
	if (decode->reader)
		decode->reader->ops->close(decode->reader);
	coding_decoder_destroy(decode->decoder);
	buffer_deinit(&decode->stream.bytes);
	free(decode->in);
	free(decode);
}

static void close_stream(struct body_stream *stream)
{
	struct cache_value *value = of(stream)->value;

	destroy(of(stream));
	cache_value_release(value);
}

static bool open_body(struct decode_stream *decode)
{
	struct cache_body *body = cache_value_body(decode->value);

	decode->file = -1;
	if (!body)
		return true;
	decode->file = body->ops->file(body);
	decode->in = malloc(IN_BYTES);
	return decode->in != NULL;
}

struct body_stream *decode_stream_open(struct cache_value *value, enum coding coding,
				       enum cache_status *ret_status)
{
	struct decode_stream *decode = calloc(1, sizeof(*decode));

	*ret_status = CACHE_NO_MEMORY;
	if (!decode)
		return NULL;
	decode->stream.next = next;
	decode->stream.close = close_stream;
	decode->value = value;
	decode->decoder = coding_decoder_create(coding);
	if (!decode->decoder || !open_body(decode)) {
		destroy(decode);
		return NULL;
	}
	bool is_here = !decode->in || decode->file >= 0;
	if (is_here && next(&decode->stream) == STREAM_FAILED) {
		*ret_status = decode->failure;
		destroy(decode);
		return NULL;
	}
	return &decode->stream;
}
