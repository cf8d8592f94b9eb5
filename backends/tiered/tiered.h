/* A near cache in front of any backend: what was read or written recently is answered from memory,
 * for a short time, and for a longer one while the backend fails.
 *
 *   get        from memory while fresh, else from the backend, whose answer is kept
 *   exists     the backend; from memory if that fails
 *   set        the backend; kept in memory once it is done, if it was unconditional
 *   delete, clear, configure, conditional set    the backend; memory forgets
 *   the rest   the backend
 *
 * It cannot see writes that reach the backend in other ways, or the backend's evictions: these show
 * after `ttl_us` at the latest. An entry's own time to live always holds: an entry that may be
 * served stale after it comes from the backend. Hits in memory are counted in the statistics, but
 * the backend does not see them as uses. */
#ifndef STEADYCACHE_BACKEND_TIERED_H
#define STEADYCACHE_BACKEND_TIERED_H

#include "store/backend.h"

struct tiered_config {
	uint64_t max_bytes;              /* of memory, including overhead; 0: no near cache */
	int64_t ttl_us;                  /* how long an answer is fresh */
	int64_t stale_us;                /* how much longer it replaces a failing backend */
	const struct cache_clock *clock; /* NULL: system_clock */
};

/* The options that fill it, all but the clock. */
extern const struct option_table tiered_options;

#pragma GCC visibility push(default) /* offered: docs/internals/embedding.md */

/* Wraps `inner`, which then belongs to the wrapper; its name and what it supports stay the same.
 * NULL: out of memory, and the caller still owns `inner`. */
struct backend *tiered_wrap(struct backend *inner, const struct tiered_config *config);

#pragma GCC visibility pop

#endif
