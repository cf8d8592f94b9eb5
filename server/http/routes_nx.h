/* The remote cache of Nx: its rows. */
#ifndef STEADYCACHE_SERVER_ROUTES_NX_H
#define STEADYCACHE_SERVER_ROUTES_NX_H

#include "server/http/router.h"

#define ROUTES_NX 3
extern const struct route routes_nx[ROUTES_NX];

#endif
