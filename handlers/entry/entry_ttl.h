/* The time to live that a request gives an entry. */
#ifndef STEADYCACHE_HANDLERS_ENTRY_TTL_H
#define STEADYCACHE_HANDLERS_ENTRY_TTL_H

#include "handlers/respond/request.h"

/* Reads the query parameter `ttl`, or the header X-TTL for clients that cannot add a query. If
 * there is neither, *ret_s keeps its value. False: answered with a 400. */
bool entry_ttl_read(const struct request *request, struct response *response, int64_t *ret_s);

#endif
