/* A body whose object stays pinned as long as the body is there: for stores in which a removal
 * would end its readers. */
#ifndef STEADYCACHE_LARGE_HELD_BODY_H
#define STEADYCACHE_LARGE_HELD_BODY_H

#include "backends/large/pins.h"
#include "base/body.h"

/* Takes over `inner` (the caller's reference), whose object the caller has pinned; the body has a
 * pin of its own. NULL: out of memory, and `inner` is the caller's. */
struct cache_body *held_body_create(struct cache_body *inner, struct pins *pins, int64_t long_us);

#endif
