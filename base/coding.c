#include "base/coding.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* zlib: a window of 2^15, and a gzip header is expected. */
#define GZIP_WINDOW_BITS (15 + 16)
#define ZSTD_WINDOW_LOG  23

struct coding_decoder {
	enum coding coding;
	bool is_complete;
	z_stream gzip;
	ZSTD_DCtx *zstd;
};

bool coding_find(struct slice name, enum coding *ret)
{
	if (slice_equal_in_any_case(name, SLICE("gzip")) ||
	    slice_equal_in_any_case(name, SLICE("x-gzip")))
		*ret = CODING_GZIP;
	else if (slice_equal_in_any_case(name, SLICE("zstd")))
		*ret = CODING_ZSTD;
	else
		return false;
	return true;
}

struct coding_decoder *coding_decoder_create(enum coding coding)
{
	struct coding_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return NULL;
	decoder->coding = coding;
	decoder->is_complete = true;
	if (coding == CODING_ZSTD) {
		decoder->zstd = ZSTD_createDCtx();
		if (decoder->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
					     decoder->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
			return decoder;
		(void)ZSTD_freeDCtx(decoder->zstd);
	} else if (inflateInit2(&decoder->gzip, GZIP_WINDOW_BITS) == Z_OK) {
		return decoder;
	}
	free(decoder);
	return NULL;
}

void coding_decoder_destroy(struct coding_decoder *decoder)
{
	if (!decoder)
		return;
	if (decoder->coding == CODING_ZSTD)
		(void)ZSTD_freeDCtx(decoder->zstd);
	else
		(void)inflateEnd(&decoder->gzip);
	free(decoder);
}

bool coding_decoder_is_complete(const struct coding_decoder *decoder)
{
	return decoder->is_complete;
}

static uInt bounded(size_t len)
{
	return len < UINT_MAX ? (uInt)len : UINT_MAX;
}

static enum coding_step inflate_some(struct coding_decoder *decoder, struct slice *in, char *room,
				     size_t size, size_t *ret_len)
{
	z_stream *gzip = &decoder->gzip;

	while (*ret_len < size && (in->len > 0 || !decoder->is_complete)) {
		if (decoder->is_complete && inflateReset(gzip) != Z_OK)
			return CODING_BAD;
		uInt given = bounded(in->len), wanted = bounded(size - *ret_len);

		decoder->is_complete = false;
		gzip->next_in = (Bytef *)(uintptr_t)in->data;
		gzip->avail_in = given;
		gzip->next_out = (Bytef *)room + *ret_len;
		gzip->avail_out = wanted;
		int code = inflate(gzip, Z_NO_FLUSH);
		size_t taken = given - gzip->avail_in, made = wanted - gzip->avail_out;
		*in = (struct slice){in->data + taken, in->len - taken};
		*ret_len += made;
		decoder->is_complete = code == Z_STREAM_END;
		if (code == Z_BUF_ERROR && taken == 0 && made == 0)
			break; /* it needs more input */
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			return code == Z_MEM_ERROR ? CODING_NO_MEMORY : CODING_BAD;
	}
	return CODING_GOES_ON;
}

static enum coding_step decompress_some(struct coding_decoder *decoder, struct slice *in,
					char *room, size_t size, size_t *ret_len)
{
	ZSTD_inBuffer from = {in->data, in->len, 0};
	ZSTD_outBuffer to = {room, size, 0};

	while (to.pos < size) {
		size_t before_from = from.pos, before_to = to.pos;

		if (from.pos == from.size && decoder->is_complete)
			break;
		size_t left = ZSTD_decompressStream(decoder->zstd, &to, &from);
		if (ZSTD_isError(left))
			return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation
				       ? CODING_NO_MEMORY
				       : CODING_BAD;
		decoder->is_complete = left == 0;
		if (from.pos == before_from && to.pos == before_to)
			break; /* it needs more input */
	}
	*in = (struct slice){in->data + from.pos, in->len - from.pos};
	*ret_len = to.pos;
	return CODING_GOES_ON;
}

enum coding_step coding_decoder_step(struct coding_decoder *decoder, struct slice *in, char *room,
				     size_t size, size_t *ret_len)
{
	*ret_len = 0;
	return decoder->coding == CODING_ZSTD ? decompress_some(decoder, in, room, size, ret_len)
					      : inflate_some(decoder, in, room, size, ret_len);
}
