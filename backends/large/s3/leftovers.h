/* Uploads in parts that nobody will complete, because a server ended in the middle: they cost space
 * and are in no listing of objects. */
#ifndef STEADYCACHE_LARGE_S3_LEFTOVERS_H
#define STEADYCACHE_LARGE_S3_LEFTOVERS_H

#include "backends/large/s3/state.h"

/* Aborts those of our names that began more than a day before `now_us` of the store's clock. Looks
 * for them once an hour at most, and not again if the store cannot list them. Does not wait; the
 * thread of io.h. */
void s3_leftovers_look(struct s3_store *store, int64_t now_us);

#endif
