/* The tables of routes: ours, and one for each facade. */
#ifndef STEADYCACHE_SERVER_ROUTES_H
#define STEADYCACHE_SERVER_ROUTES_H

#include "server/http/router.h"

/* The paths of somebody else's protocol, for clients that speak nothing else; --facades says which
 * a server has. */
enum facade {
	FACADE_TURBOREPO = 1 << 0,
	FACADE_NX = 1 << 1,
	FACADE_WEBDAV = 1 << 2,

	FACADES_ALL = FACADE_TURBOREPO | FACADE_NX | FACADE_WEBDAV,
};

struct route_table {
	const struct route *rows;
	size_t count;
	unsigned facade; /* 0: it is always there */
};

#define ROUTE_TABLES 4
/* Ours is the first. */
extern const struct route_table route_tables[ROUTE_TABLES];

/* All rows of all tables, whether a server has them or not, have numbers from 0. */
size_t routes_count(void);
const struct route *routes_at(size_t number);
size_t routes_number(const struct route *route);

/* Reads the names of facades with commas between them, "all" or "none". False: *ret_unknown is a
 * name that is none. */
bool routes_read_facades(const char *text, unsigned *ret, struct slice *ret_unknown);

#endif
