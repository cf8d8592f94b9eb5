/* The share of a partition in a limit of its namespace: all shares together are the limit. */
#ifndef STEADYCACHE_REDIS_SHARE_H
#define STEADYCACHE_REDIS_SHARE_H

#include "store/namespace.h"

/* Below so many bytes a share would have room for hardly any entry. */
#define REDIS_SHARE_MIN_BYTES UINT64_C(4096)

/* floor(whole * (index + 1) / count) - floor(whole * index / count) */
static inline uint64_t redis_share_of(uint64_t whole, unsigned index, unsigned count)
{
	uint64_t rest = whole % count;

	return whole / count + rest * (index + 1) / count - rest * index / count;
}

/* Settings with the limits of partition `index` of `count`. */
static inline void redis_share_out(struct namespace_settings *settings, unsigned index,
				   unsigned count)
{
	settings->max_size_bytes = redis_share_of(settings->max_size_bytes, index, count);
	if (settings->capacity > 0)
		settings->capacity =
			(int64_t)redis_share_of((uint64_t)settings->capacity, index, count);
}

/* Whether each of `count` partitions gets a part of a capacity. */
static inline bool redis_share_has_capacity(int64_t capacity, unsigned count)
{
	return capacity <= 0 || capacity >= (int64_t)count;
}

/* Whether each of `count` partitions gets a useful part of a limit of bytes. */
static inline bool redis_share_has_size(uint64_t max_size_bytes, unsigned count)
{
	return max_size_bytes == 0 || count == 1 || max_size_bytes / count >= REDIS_SHARE_MIN_BYTES;
}

#endif
