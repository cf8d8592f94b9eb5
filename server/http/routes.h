/* The table of routes. */
#ifndef STEADYCACHE_SERVER_ROUTES_H
#define STEADYCACHE_SERVER_ROUTES_H

#include "server/http/router.h"

extern const struct route routes[];
extern const size_t route_count;

#endif
