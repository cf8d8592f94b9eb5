/* Which path and method lead to which handler. The table is routes.c. */
#ifndef STEADYCACHE_SERVER_ROUTER_H
#define STEADYCACHE_SERVER_ROUTER_H

#include "handlers/handlers.h"

/* What a token must be allowed to do, besides the namespace. A route without a right is open to
 * nobody. */
enum route_right {
	RIGHT_UNSET,
	RIGHT_PUBLIC, /* needs no token */
	RIGHT_READ,
	RIGHT_READ_OF_ALL, /* ... in all namespaces */
	RIGHT_WRITE,
	RIGHT_ADMIN,
	RIGHT_ADMIN_OF_ALL,
};

struct route {
	unsigned methods;    /* enum http_method, or-ed */
	const char *pattern; /* {ns}: one segment; {key}: the rest, at least one byte */
	const struct handler *handler;
	enum error_style error_style;
	enum route_right right;
	/* Query parameters that requests other than GET and HEAD accept besides `pretty`, each
	 * followed by ", "; NULL: none. Others are refused: a misspelt one would change more than
	 * was meant. */
	const char *parameters;
	bool is_metrics; /* needs no token if --metrics-public says so */
	bool is_page;    /* one of our pages, which links from anywhere may open */
};

struct route_match {
	const struct route *route; /* NULL: no route takes the path with this method */
	unsigned allowed;          /* methods that the path supports; 0: unknown path */
	struct slice ns, key;      /* raw parts of the path */
};

enum http_method router_method(const char *name);
/* "GET"; "other" for HTTP_OTHER. */
const char *router_method_name(enum http_method method);
struct route_match router_match(enum http_method method, struct slice path);

#endif
