/* An open store, and who is in it. */
#ifndef STEADYCACHE_LIBRARY_STORE_H
#define STEADYCACHE_LIBRARY_STORE_H

#include <stdbool.h>

#include "steadycache/steadycache.h"
#include "store/backend.h"

/* Threads count what they have in progress in one of these, so that they do not write to one line
 * of memory all the time. */
#define LIBRARY_LANES 16

/* Begins an operation, so that the store stays open until it ends: returns its lane. NULL: the
 * store refuses operations, with the sentence in `ret_refusal`. */
struct library_lane *library_store_enter(struct steadycache *store, const char **ret_refusal);
/* Ends it; the store may be gone afterwards. */
void library_store_leave(struct steadycache *store, struct library_lane *lane);

struct backend *library_store_backend(struct steadycache *store);

#endif
