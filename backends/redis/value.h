/* How an entry stands in the server (script/10_model.lua): its value in key v, its head in key h.
 */
#ifndef STEADYCACHE_REDIS_VALUE_H
#define STEADYCACHE_REDIS_VALUE_H

#include "base/value.h"

/* A value of key v; it borrows the bytes that it was read from. */
struct redis_value {
	int64_t modified_at_us, expires_at_us;
	struct etag etag;
	uint8_t flags;
	struct slice head, bytes;
};

/* False: these bytes are not one. */
bool redis_value_read(struct slice text, struct redis_value *ret);

/* A copy as the cache hands it out. NULL: out of memory. */
struct cache_value *redis_value_copy(const struct redis_value *value);

/* What is known of an entry that is to be stored. */
struct redis_times {
	int64_t modified_at_us; /* 0: the engine's clock is not known */
	int64_t expires_at_us;
};

/* What stands in key v before the bytes of `value`; size_bytes: what it is counted as. Returns the
 * length. */
#define REDIS_HEADER_MAX_LEN (44 + VALUE_HEAD_MAX_LEN)
size_t redis_value_write_header(const struct cache_value *value, const struct redis_times *times,
				int64_t size_bytes, char out[static REDIS_HEADER_MAX_LEN]);

/* When an entry was modified that the front told `told_us` of: the script takes that if it is near
 * its own time, now_us. */
int64_t redis_value_moment_us(int64_t told_us, int64_t now_us);

/* A value of key h, or of a listing. */
struct redis_head {
	uint32_t frequency;
	int64_t last_access_us, created_at_us, expires_at_us;
	uint64_t size_bytes;
	struct etag etag;
};

/* False: these bytes are not one. */
bool redis_value_read_head(struct slice text, struct redis_head *ret);

#endif
