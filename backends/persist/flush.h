/* Writes what has changed in memory to the file. flush.c explains the order. */
#ifndef STEADYCACHE_PERSIST_FLUSH_H
#define STEADYCACHE_PERSIST_FLUSH_H

#include "backends/persist/state.h"

/* Of the thread only, as all here. Writes everything that had changed when it began; `between` is
 * called after each step, without a lock. False: the file has refused something
 * (persist->failure), and what is not written stays noted. */
bool flush_all(struct persist *persist, void (*between)(struct persist *persist));

/* The same for removed keys alone. */
bool flush_removed(struct persist *persist);

/* Frees what a flush that failed has left. */
void flush_deinit(struct persist *persist);

#endif
