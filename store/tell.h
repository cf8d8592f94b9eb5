/* How a backend tells of a change (change.h) whoever watches: nearly free while nobody does. */
#ifndef STEADYCACHE_STORE_TELL_H
#define STEADYCACHE_STORE_TELL_H

#include "store/backend.h"

/* Whether anybody wants to know now. Who asks after this that is told of what happens after this.
 */
static inline bool tell_is_wanted(const struct backend_config *config)
{
	return config->changed &&
	       (!config->changes_wanted ||
		atomic_load_explicit(config->changes_wanted, memory_order_relaxed) > 0);
}

static inline void tell_change(const struct backend_config *config, enum cache_change_kind kind,
			       struct slice ns, struct slice key)
{
	if (tell_is_wanted(config))
		config->changed(config->changed_user,
				&(struct cache_change){.kind = kind, .ns = ns, .key = key});
}

#endif
