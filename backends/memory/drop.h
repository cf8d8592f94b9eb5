/* The end of a namespace: a CLEAR with op->drop. */
#ifndef STEADYCACHE_MEMORY_DROP_H
#define STEADYCACHE_MEMORY_DROP_H

#include "backends/memory/namespace.h"
#include "backends/memory/worker.h"

/* Drops `ns` and completes `op`; on the worker, if somebody configures the namespace. */
void drop_start(struct namespaces *all, struct worker *worker, struct namespace *ns,
		struct cache_op *op);
/* The same on the worker, where it may wait for that. */
void drop_run(struct namespaces *all, struct cache_op *op);

#endif
