/* The thread of memory that persists: it loads the file, and then writes what has changed, every
 * --persist-every seconds, and when somebody waits for it. */
#ifndef STEADYCACHE_PERSIST_LOOP_H
#define STEADYCACHE_PERSIST_LOOP_H

#include "backends/persist/state.h"

/* False: no thread could be started. */
bool loop_start(struct persist *persist);
/* Writes what has changed, and ends the thread. Allowed if it was never started. */
void loop_stop(struct persist *persist);

/* Any thread: a SET that must wait (memory_mirror.park), and a SYNC. */
void loop_park(struct persist *persist, struct cache_op *op);
void loop_sync(struct persist *persist, struct cache_op *op);

#endif
