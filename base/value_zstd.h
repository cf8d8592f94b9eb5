/* Values that are kept compressed (CACHE_VALUE_ZSTD): one frame of zstd (RFC 8878) with its content
 * size and a checksum. ETag, the flags of the bytes, head and times stay those of the value.
 *
 * Any thread. What zstd needs for it, some 1.5 MB for each thread that does it at the same time, is
 * kept until the process ends. */
#ifndef STEADYCACHE_BASE_VALUE_ZSTD_H
#define STEADYCACHE_BASE_VALUE_ZSTD_H

#include "base/status.h"
#include "base/value.h"

/* Shorter values stay as they are: a frame of them saves nothing. */
#define VALUE_ZSTD_MIN_BYTES 128

/* A sealed value with the frame of a sealed `value`, whose bytes are in memory, with headroom. It
 * is the caller's. NULL: it would not be shorter by a tenth, or there is no memory: `value` is to
 * be kept as it is. */
struct cache_value *value_zstd_encode(const struct cache_value *value,
				      struct cache_headroom headroom);

/* How many bytes a value of CACHE_VALUE_ZSTD decodes to, by what its frame says. False: it is no
 * such frame, or says more than its length can decode to, or than CACHE_VALUE_MAX_BYTES. */
bool value_zstd_len(const struct cache_value *value, uint32_t *ret);

/* What it decodes to, sealed, the caller's. Otherwise CACHE_CORRUPT or CACHE_NO_MEMORY. */
enum cache_status value_zstd_decode(const struct cache_value *value, struct cache_value **ret);

/* What to say with CACHE_CORRUPT. */
#define VALUE_ZSTD_DAMAGED                                                                         \
	"the compressed value is damaged in the store; delete the entry, or set it anew"

/* How many values this process has decoded. */
uint64_t value_zstd_decoded_count(void);

#endif
