/* Which path and method lead to which handler. The table is routes.c. */
#ifndef STEADYCACHE_SERVER_ROUTER_H
#define STEADYCACHE_SERVER_ROUTER_H

#include "handlers/handlers.h"

/* What a token must be allowed to do, beside the namespace. A route for which nobody has thought of
 * it is open to nobody. */
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
	const char *pattern; /* {ns}: one segment; {key}: all that is left, at least one byte */
	const struct handler *handler;
	enum error_style error_style;
	enum route_right right;
	/* Query parameters that requests other than GET and HEAD know beside `pretty`, with ", "
	 * behind each; NULL: none. Others are refused: a misspelt one would change more than was
	 * meant. */
	const char *parameters;
	bool is_metrics; /* needs no token where --metrics-public says so */
	bool is_page;    /* of our own, which links from anywhere may lead to */
};

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
