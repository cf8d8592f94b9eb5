/* The bytes of a body, wherever they are, into a spool. */
#ifndef STEADYCACHE_LARGE_BODY_COPY_H
#define STEADYCACHE_LARGE_BODY_COPY_H

#include <stdbool.h>

#include "base/spool.h"

/* Waits for the store of the body. False: spool->failure says why. */
bool body_copy(struct cache_body *body, struct body_spool *spool);

#endif
