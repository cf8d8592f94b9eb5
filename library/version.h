/* The version of the library that is loaded. It declares nothing of its own: steadycache.h does. */
#ifndef STEADYCACHE_LIBRARY_VERSION_H
#define STEADYCACHE_LIBRARY_VERSION_H

/* The build defines STEADYCACHE_VERSION too: the compiler refuses another one. */
#include "steadycache/steadycache.h"

#endif
