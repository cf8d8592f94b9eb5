/* A near cache in front of any backend: what was read or written recently is answered from memory,
 * for a short time, and for a longer one while the backend fails.
 *
 *   get        from memory while fresh, else from the backend, whose answer is kept
 *   exists     the backend; from memory if that fails
 *   set        the backend; kept in memory once it is done, if it was unconditional
 *   delete, expire, clear, configure, conditional set    the backend; memory forgets
 *   the rest   the backend
 *
 * Writes that reach the backend in other ways end a copy as soon as the backend tells of them
 * (backend_config.news); where it does not, or cannot at the moment, they show after `ttl_us` at
 * the latest, as the backend's evictions do. An entry's own time to live always holds: an entry
 * that may be served stale after it comes from the backend. Hits in memory are counted in the
 * statistics, but the backend does not see them as uses: where entries go that nobody uses
 * (max_idle), a copy answers for an eighth of that time at most (near_spaces.h). */
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

/* Opens a backend of `ops` behind a near cache; its name and what it supports stay the same. Hears
 * its news, and passes them on to config->news when its copies have ended. On failure NULL, with a
 * sentence for the user in `error`. */
struct backend *tiered_open(const struct backend_ops *ops, const struct backend_config *config,
			    const struct tiered_config *near, char *error, size_t error_size);

/* The same for a backend that is open, of whose news it does not hear. `inner` then belongs to the
 * wrapper. NULL: out of memory, and the caller still owns `inner`. */
struct backend *tiered_wrap(struct backend *inner, const struct tiered_config *config);

#endif
