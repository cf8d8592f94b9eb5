/* CONFIGURE: the settings of a namespace. */
#ifndef STEADYCACHE_MEMORY_CONFIGURE_H
#define STEADYCACHE_MEMORY_CONFIGURE_H

#include "backends/memory/namespace.h"

/* Sets what op->settings_mask names, re-sorts the orders for another policy, and evicts what no
 * longer fits; creates the namespace again if it was dropped. CACHE_OK, or why nothing is done.
 * Takes long if there are many entries (visit.h). */
enum cache_status configure_namespace(struct namespaces *all, struct namespace *ns,
				      const struct cache_op *op, int64_t now_us);

#endif
