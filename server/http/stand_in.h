/* What the HTTP library gets in place of a head that was refused, so that the answer can be made as
 * all others are. */
#ifndef STEADYCACHE_SERVER_STAND_IN_H
#define STEADYCACHE_SERVER_STAND_IN_H

#include <stddef.h>

#include "base/slice.h"

/* As much of the head as makes that the answer has the form of its path and its id, and none of
 * HEAD a body. The first `good_len` bytes of what was refused are lines in which nothing is wrong.
 * To be freed, NULL: out of memory. */
char *stand_in_make(struct slice refused, size_t good_len, size_t *ret_len);

#endif
