/* GETs of entries whose bytes are in the file only. */
#ifndef STEADYCACHE_PERSIST_FETCH_H
#define STEADYCACHE_PERSIST_FETCH_H

#include "backends/persist/state.h"

/* Completes a GET some of whose items have heads as values: with the bytes of the file. Any
 * thread. */
void fetch_run(struct persist *persist, struct cache_op *op);

#endif
