/* The query of a request. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_QUERY_H
#define STEADYCACHE_SERVER_EXCHANGE_QUERY_H

#include "server/http/exchange_state.h"

/* Separates the parameters from the target, in the library's memory, where they stay until the
 * request is completed. `at` is where they begin. */
void exchange_query_split(struct exchange *exchange, char *at);

/* The value of a query parameter, "" if it has none, NULL if there is no such parameter. */
const char *exchange_query(const struct exchange *exchange, const char *name);

/* The next parameter of a request. `*at` is NULL at first, and then where to continue. Names and
 * values are unchanged, except that '+' is a blank. False: no more. */
bool exchange_query_next(const struct exchange *exchange, const char **at, struct slice *ret_name,
			 const char **ret_value);

#endif
