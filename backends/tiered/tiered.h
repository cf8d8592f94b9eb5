/* A near cache in front of any backend: what was read or written lately is answered from memory,
 * for a short time, and for a longer one while the backend fails.
 *
 *   get        from memory while fresh, else from the backend, whose answer is kept
 *   exists     the backend; from memory where that fails
 *   set        the backend; kept in memory once it is done, where it was unconditional
 *   delete, clear, configure, conditional set    the backend; memory forgets
 *   the rest   the backend
 *
 * What it cannot know: writes that reach the backend by other ways, and what the backend evicts,
 * show after `ttl_us` at the latest. An entry's own time to live always holds: one that may be
 * served stale after it comes from the backend. Hits in memory are counted in the statistics, but
 * the backend does not see them as uses. */
#ifndef STEADYCACHE_BACKEND_TIERED_H
#define STEADYCACHE_BACKEND_TIERED_H

#include "store/backend.h"

struct tiered_config {
	uint64_t max_bytes;              /* of memory, overhead included; 0: no near cache */
	int64_t ttl_us;                  /* how long an answer is fresh */
	int64_t stale_us;                /* how much longer it stands in for a failing backend */
	const struct cache_clock *clock; /* NULL: system_clock */
};

/* The options that fill it, all but the clock. */
extern const struct option_table tiered_options;

/* Wraps `inner`, which belongs to the wrapper from then on; its name and what it supports stay.
 * NULL: out of memory, and `inner` is still the caller's. */
struct backend *tiered_wrap(struct backend *inner, const struct tiered_config *config);

#endif
