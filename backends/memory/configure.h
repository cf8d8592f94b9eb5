/* CONFIGURE: the settings of a namespace. */
#ifndef STEADYCACHE_MEMORY_CONFIGURE_H
#define STEADYCACHE_MEMORY_CONFIGURE_H

#include "backends/memory/namespace.h"

/* Sets what op->settings_mask names, re-sorts the orders for another policy, and evicts what no
 * longer fits. Takes long if there are many entries (visit.h). */
void configure_namespace(struct namespace *ns, const struct cache_op *op, int64_t now_us);

#endif
