/* Which path and method lead to which handler. The table is server/routes.c. */
#ifndef STEADYCACHE_SERVER_ROUTER_H
#define STEADYCACHE_SERVER_ROUTER_H

#include "handlers/handlers.h"

struct route {
	unsigned methods;    /* enum http_method, or-ed */
	const char *pattern; /* {ns}: one segment; {key}: all that is left, at least one byte */
	const struct handler *handler;
	enum error_style error_style;
	bool is_public;  /* needs no token */
	bool is_metrics; /* needs one unless --metrics-public says otherwise */
};

extern const struct route routes[];
extern const size_t route_count;

struct route_match {
	const struct route *route; /* NULL: none takes the path with this method */
	unsigned allowed;          /* methods that the path takes; 0: unknown path */
	struct slice ns, key;      /* raw parts of the path */
};

enum http_method router_method(const char *name);
/* "GET"; "other" for HTTP_OTHER. */
const char *router_method_name(enum http_method method);
struct route_match router_match(enum http_method method, struct slice path);

#endif
