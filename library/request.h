/* Requests: how they are submitted, and how they are waited for. */
#ifndef STEADYCACHE_LIBRARY_REQUEST_H
#define STEADYCACHE_LIBRARY_REQUEST_H

/* It declares nothing of its own. */
#include "steadycache/steadycache.h"

#endif
