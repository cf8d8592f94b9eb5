/* The bytes of a value on their way to the store of objects: a file, hashed as it grows. */
#ifndef STEADYCACHE_LARGE_SPOOL_H
#define STEADYCACHE_LARGE_SPOOL_H

#include "backends/large/spool_place.h"
#include "base/spool.h"

/* An empty spool; touches no file. Its body is a file_body with a path. NULL: out of memory. Any
 * thread. */
struct body_spool *spool_create(struct spool_place *place);

#endif
