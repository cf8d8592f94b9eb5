/* The one thread that writes (group.h says how). It never waits for more operations: under load
 * groups grow by themselves, and a lone write goes at once. */
#ifndef STEADYCACHE_SQLITE_WRITER_H
#define STEADYCACHE_SQLITE_WRITER_H

#include "backends/sqlite/store.h"

/* Starts the thread. False with a sentence in `error`. */
bool writer_open(struct sqlite_store *store, char *error, size_t error_size);
/* Writes what waits first. Allowed if it was never opened. */
void writer_close(struct sqlite_store *store);

/* backend_ops: any operation that writes; any thread. */
void writer_submit(struct backend *backend, struct cache_op *op);
/* backend_ops.hurry */
void writer_hurry(struct backend *backend);

#endif
