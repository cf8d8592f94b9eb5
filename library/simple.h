/* Requests in one call. It declares nothing of its own: steadycache.h does. */
#ifndef STEADYCACHE_LIBRARY_SIMPLE_H
#define STEADYCACHE_LIBRARY_SIMPLE_H

#include "steadycache/steadycache.h"

#endif
