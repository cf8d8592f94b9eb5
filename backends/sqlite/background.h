/* The thread for longer work: listings (scan.c) and statistics, on its own read connection, and
 * four times a second, if there is something to do, the housekeeping: waiting uses and expired
 * entries (passed to the writer), idle readers' transactions, and checkpoints.
 *
 * A checkpoint here runs beside the writer and copies the log into the file, so that a commit never
 * stalls for it. */
#ifndef STEADYCACHE_SQLITE_BACKGROUND_H
#define STEADYCACHE_SQLITE_BACKGROUND_H

#include "backends/sqlite/store.h"

/* Starts the thread. False with a sentence in `error`. */
bool background_open(struct sqlite_store *store, char *error, size_t error_size);
/* Answers what waits first. Allowed if it was never opened. */
void background_close(struct sqlite_store *store);

/* backend_ops: SCAN and STATS; any thread. */
void background_submit(struct backend *backend, struct cache_op *op);

#endif
