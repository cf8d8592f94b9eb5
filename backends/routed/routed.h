/* Several backends behind one: each namespace is in the backend to which the first rule that
 * matches its name leads.
 *
 *   get, set, ... of a namespace   its backend, whose bits count (backend_ops.traits)
 *   stats of all, sync, check      all of them at once; op->branches tells of each
 *
 * The whole promises what all of its backends promise, and can do what one of them can; the others
 * refuse in their own words. A namespace in a backend to which its name does not lead is not seen:
 * a notice tells of that, once. */
#ifndef STEADYCACHE_BACKEND_ROUTED_H
#define STEADYCACHE_BACKEND_ROUTED_H

#include "backends/routed/pattern.h"
#include "store/place.h"

struct routed_rule {
	char pattern[ROUTED_PATTERN_MAX_LEN + 1]; /* routed_pattern_is_valid */
	size_t place;                             /* index of the backend */
};

/* backend_config.settings. All of it must stay as long as the backend. */
struct routed_config {
	const struct routed_rule *rules; /* the last one has the pattern "*" */
	size_t rule_count;
	/* Of their configs, what places have of their own counts: the rest is that of the
	 * whole's. */
	const struct backend_place *places;
	size_t place_count; /* 1 to BACKEND_BRANCHES_MAX */
};

extern const struct backend_ops routed_backend_ops;

#endif
