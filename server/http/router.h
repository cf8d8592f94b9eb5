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

	bool is_collection; /* only for paths that end with a slash */
	/* How many bytes before {key} belong to the key. */
	unsigned char key_back;
	/* Where the path has no {ns}: the query parameters that name the namespace, each followed
	 * by ", ", of which the first that is there counts, and its name if there is none. NULL:
	 * the route has no namespace, or the path has it. */
	const char *ns_parameters, *ns_default;
	/* What OPTIONS says in Access-Control-Allow-Headers, for a client that asks for it before
	 * it sends its token; NULL: nothing. */
	const char *client_headers;
};

struct route_match {
	const struct route *route;  /* NULL: no route takes the path with this method */
	unsigned allowed;           /* methods that the path supports; 0: unknown path */
	struct slice ns, key;       /* raw parts of the path */
	const char *client_headers; /* of any route of the path */
};

/* The facades (routes.h) whose routes there are; all unless this is called. Before any request. */
void router_open(unsigned facades);
/* Whether that one is there. */
bool router_has(unsigned facade);

enum http_method router_method(const char *name);
/* "GET"; "other" for HTTP_OTHER. */
const char *router_method_name(enum http_method method);
struct route_match router_match(enum http_method method, struct slice path);

/* Longest value of an Allow header, with its NUL. */
#define ROUTER_ALLOW_SIZE 80
/* Writes the names of the `allowed` methods and OPTIONS, as in Allow. */
void router_allow(unsigned allowed, char ret[static ROUTER_ALLOW_SIZE]);

#endif
