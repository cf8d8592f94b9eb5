/* Loads the file into memory while the store is in use already. load.c explains how. */
#ifndef STEADYCACHE_PERSIST_LOAD_H
#define STEADYCACHE_PERSIST_LOAD_H

#include "backends/persist/state.h"

/* Before any op: creates the namespaces of the file in memory, and opens the file for the load if
 * it has entries. False with a sentence in `error`. */
bool load_open(struct persist *persist, char *error, size_t error_size);

/* Of the thread only, as all below. The next step: answers what waits for keys that may be in the
 * file, and loads some entries. True when all are loaded. On a failure it waits for a moment. */
bool load_step(struct persist *persist);
/* All is loaded, or nothing more will be: lets go what waits for that. */
void load_end(struct persist *persist);
void load_close(struct persist *persist);

/* Any thread: an op that comes while the file is loaded. True: it has taken it over. */
bool load_takes(struct persist *persist, struct cache_op *op);
/* Any thread: refuses, with `sentence` (static), the ops that wait for the end of the load or for
 * room until then. */
void load_refuse_waiting(struct persist *persist, const char *sentence);

#endif
