/* The sentence of a thread's last failure. */
#ifndef STEADYCACHE_LIBRARY_ERROR_H
#define STEADYCACHE_LIBRARY_ERROR_H

#include "steadycache/steadycache.h"

/* Keeps a copy of `sentence` for steadycache_error(), unless `status` is no failure. Returns
 * `status`. */
enum steadycache_status library_error_keep(enum steadycache_status status, const char *sentence);

#endif
