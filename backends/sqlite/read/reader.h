/* Gets, on the calling thread; those of large values continue on another (large.h). */
#ifndef STEADYCACHE_SQLITE_READER_H
#define STEADYCACHE_SQLITE_READER_H

#include "store/backend.h"

/* backend_ops: any thread. */
void reader_get(struct backend *backend, struct cache_op *op);
void reader_exists(struct backend *backend, struct cache_op *op);
/* A get that found large values, on a thread that may take its time; `user` is the store. */
void reader_get_large(void *user, struct cache_op *op);

#endif
