/* Values of the store, and those of the public interface: the same objects. */
#ifndef STEADYCACHE_LIBRARY_VALUE_H
#define STEADYCACHE_LIBRARY_VALUE_H

#include "base/value.h"
#include "steadycache/steadycache.h"

static inline struct steadycache_value *library_value_of(struct cache_value *value)
{
	return (struct steadycache_value *)(void *)value;
}

/* Writes the digits of `etag` and a NUL. */
void library_value_format(const struct etag *etag, char ret[STEADYCACHE_ETAG_LEN + 1]);

#endif
