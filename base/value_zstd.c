#include "base/value_zstd.h"

#include <pthread.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* Level 1: docs/compression.md has what the others cost and save. */
#define LEVEL 1
/* Of the bytes of a frame, the most that each may stand for: a block of 128 KB takes 4. */
#define BYTES_PER_BYTE_MAX UINT64_C(32768)

static atomic_ullong decoded_count;

/* ---- Contexts ---- */

/* What zstd needs to encode and to decode, for one call at a time. */
struct context {
	struct context *next;
	ZSTD_CCtx *encoder;
	ZSTD_DCtx *decoder;
};

/* Those that nobody uses: as many as threads have needed one at once. */
static struct {
	pthread_mutex_t lock;
	struct context *first;
} idle = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void destroy(struct context *context)
{
	(void)ZSTD_freeCCtx(context->encoder);
	(void)ZSTD_freeDCtx(context->decoder);
	free(context);
}

/* Of a library that is unloaded nothing stays. */
__attribute__((destructor)) static void destroy_idle(void)
{
	while (idle.first) {
		struct context *context = idle.first;

		idle.first = context->next;
		destroy(context);
	}
}

/* NULL: out of memory. */
static struct context *take_context(void)
{
	(void)pthread_mutex_lock(&idle.lock);
	struct context *context = idle.first;
	if (context)
		idle.first = context->next;
	(void)pthread_mutex_unlock(&idle.lock);
	return context ? context : calloc(1, sizeof(*context));
}

static void give_context(struct context *context)
{
	(void)pthread_mutex_lock(&idle.lock);
	context->next = idle.first;
	idle.first = context;
	(void)pthread_mutex_unlock(&idle.lock);
}

static bool has_encoder(struct context *context)
{
	if (context->encoder)
		return true;
	ZSTD_CCtx *made = ZSTD_createCCtx();
	if (made && (ZSTD_isError(ZSTD_CCtx_setParameter(made, ZSTD_c_compressionLevel, LEVEL)) ||
		     ZSTD_isError(ZSTD_CCtx_setParameter(made, ZSTD_c_checksumFlag, 1)))) {
		(void)ZSTD_freeCCtx(made);
		return false;
	}
	context->encoder = made;
	return made != NULL;
}

static bool has_decoder(struct context *context)
{
	if (!context->decoder)
		context->decoder = ZSTD_createDCtx();
	return context->decoder != NULL;
}

/* Returns the length of the frame; 0: it does not fit, or there is no memory. */
static size_t encode(struct slice bytes, char *room, size_t size)
{
	struct context *context = take_context();
	size_t len = 0;

	if (!context)
		return 0;
	if (has_encoder(context))
		len = ZSTD_compress2(context->encoder, room, size, bytes.data, bytes.len);
	give_context(context);
	return ZSTD_isError(len) ? 0 : len;
}

static enum cache_status decode(struct slice frame, char *room, size_t len)
{
	struct context *context = take_context();
	enum cache_status status = CACHE_NO_MEMORY;

	if (!context)
		return CACHE_NO_MEMORY;
	if (has_decoder(context)) {
		size_t made =
			ZSTD_decompressDCtx(context->decoder, room, len, frame.data, frame.len);

		if (made == len)
			status = CACHE_OK;
		else if (ZSTD_getErrorCode(made) != ZSTD_error_memory_allocation)
			status = CACHE_CORRUPT;
	}
	give_context(context);
	return status;
}

/* ---- Values ---- */

struct cache_value *value_zstd_encode(const struct cache_value *value,
				      struct cache_headroom headroom)
{
	struct slice bytes = cache_value_bytes(value);
	size_t most = bytes.len - bytes.len / 10 - 1;

	if (bytes.len < VALUE_ZSTD_MIN_BYTES)
		return NULL;
	struct cache_value *encoded =
		cache_value_create_with_headroom(most, cache_value_head(value), headroom);
	if (!encoded)
		return NULL;
	size_t len = encode(bytes, cache_value_data(encoded), most);
	struct cache_value *fitting = len > 0 ? cache_value_resize(encoded, len) : NULL;
	if (!fitting) {
		cache_value_release(encoded);
		return NULL;
	}
	cache_value_seal_known(fitting, &value->etag, value->flags | CACHE_VALUE_ZSTD);
	return fitting;
}

bool value_zstd_len(const struct cache_value *value, uint32_t *ret)
{
	struct slice frame = cache_value_bytes(value);
	unsigned long long len = ZSTD_getFrameContentSize(frame.data, frame.len);

	if (len > CACHE_VALUE_MAX_BYTES || len > frame.len * BYTES_PER_BYTE_MAX)
		return false;
	*ret = (uint32_t)len;
	return true;
}

enum cache_status value_zstd_decode(const struct cache_value *value, struct cache_value **ret)
{
	struct slice frame = cache_value_bytes(value);
	uint32_t len;

	if (!value_zstd_len(value, &len))
		return CACHE_CORRUPT;
	struct cache_value *decoded = cache_value_create(len, cache_value_head(value));
	enum cache_status status =
		decoded ? decode(frame, cache_value_data(decoded), len) : CACHE_NO_MEMORY;
	if (status != CACHE_OK) {
		cache_value_release(decoded);
		return status;
	}
	cache_value_seal_known(decoded, &value->etag,
			       (uint8_t)(value->flags & ~(unsigned)CACHE_VALUE_ZSTD));
	decoded->modified_at_us = value->modified_at_us;
	decoded->expires_at_us = value->expires_at_us;
	(void)atomic_fetch_add_explicit(&decoded_count, 1, memory_order_relaxed);
	*ret = decoded;
	return CACHE_OK;
}

uint64_t value_zstd_decoded_count(void)
{
	return atomic_load_explicit(&decoded_count, memory_order_relaxed);
}
