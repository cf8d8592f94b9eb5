/* Turborepo's remote cache: its rows. */
#ifndef STEADYCACHE_SERVER_ROUTES_TURBOREPO_H
#define STEADYCACHE_SERVER_ROUTES_TURBOREPO_H

#include "server/http/router.h"

#define ROUTES_TURBOREPO 8
extern const struct route routes_turborepo[ROUTES_TURBOREPO];

#endif
