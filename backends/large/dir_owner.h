/* Whose objects a directory has: object_store_ops.claim. A server that was started with another
 * backend by mistake would find that no entry names any of them, and remove all. */
#ifndef STEADYCACHE_LARGE_DIR_OWNER_H
#define STEADYCACHE_LARGE_DIR_OWNER_H

#include "backends/large/dir_state.h"

/* `owner` is one line of text. */
bool dir_owner_claim(struct object_store *store, const char *owner, char *error, size_t error_size);

#endif
