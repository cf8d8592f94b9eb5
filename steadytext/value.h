/* Values as SteadyText's D1 client stores them: base64 of a pickle. */
#ifndef STEADYCACHE_STEADYTEXT_VALUE_H
#define STEADYCACHE_STEADYTEXT_VALUE_H

#include "base/buffer.h"
#include "steadytext/cache_file.h"

/* Whether the bytes begin and end like a pickle. What is between stays unread: a value is not lost
 * because this program does not know what another one will. */
bool steadytext_value_is_pickle(struct slice bytes);
/* The length in base64, bytes. */
static inline uint64_t steadytext_value_len(uint64_t pickle_bytes)
{
	return (pickle_bytes + 2) / 3 * 4;
}
/* Appends the base64. Out of memory: ret->failed. */
void steadytext_value_encode(struct slice pickle, struct buffer *ret);
/* Whether a store with these limits takes the entry; else a clause in `reason`. */
bool steadytext_value_fits(const struct steadytext_limits *limits, size_t key_len,
			   uint64_t value_len, char *reason, size_t reason_size);

#endif
