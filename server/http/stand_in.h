/* What the HTTP library gets instead of a head that was refused, so that the answer can be made
 * like all others. */
#ifndef STEADYCACHE_SERVER_STAND_IN_H
#define STEADYCACHE_SERVER_STAND_IN_H

#include <stddef.h>

#include "base/slice.h"

/* Makes a head with as much of the refused one as the answer needs for the form of its path, for
 * its id, and for the missing body of a HEAD. The first `good_len` bytes of `refused` are lines
 * without a fault. The caller frees it. NULL: out of memory. */
char *stand_in_make(struct slice refused, size_t good_len, size_t *ret_len);

#endif
