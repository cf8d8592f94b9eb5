/* Whether a request may continue: load, framing, token, route, path. */
#ifndef STEADYCACHE_SERVER_ADMIT_H
#define STEADYCACHE_SERVER_ADMIT_H

#include "server/http/exchange_state.h"

/* Whether the connection can carry a request at all: load and framing. False: the response is
 * complete, and the connection cannot be used further. */
bool admit_connection(struct exchange *exchange, const char *url);

/* Whether the body, now at its end, was valid. False: the response is complete. */
bool admit_body(struct exchange *exchange);

/* Whether the request may continue: token, route, path. Sets the route and the path's parts. False:
 * the response is complete. */
bool admit_request(struct exchange *exchange, const char *url);

/* Whether the client may use the namespace of an op that the handler wants to submit, which on /api
 * only the body gives. False: the response is complete. */
bool admit_op(struct exchange *exchange);

#endif
