/* The backend behind STEADYTEXT_DISABLE_CACHE=1: every get misses, every set succeeds and stores
 * nothing. */
#ifndef STEADYCACHE_BACKEND_DISABLED_H
#define STEADYCACHE_BACKEND_DISABLED_H

#include "store/backend.h"

extern const struct backend_ops disabled_backend_ops;

#endif
