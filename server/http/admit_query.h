/* What admission reads of a request's query. */
#ifndef STEADYCACHE_SERVER_ADMIT_QUERY_H
#define STEADYCACHE_SERVER_ADMIT_QUERY_H

#include "server/http/exchange_state.h"

/* Whether the parameters are among `known` ("a, b, ") and those of all routes, each at most once.
 * False: the response is complete. */
bool admit_query_check(struct exchange *exchange, const char *known);

/* The namespace of a route whose path has none (route.ns_default), as it came. */
struct slice admit_query_namespace(const struct exchange *exchange, const struct route *route);

#endif
