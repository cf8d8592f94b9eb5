/* JSON for people to read. */
#ifndef STEADYCACHE_HANDLERS_PRETTY_H
#define STEADYCACHE_HANDLERS_PRETTY_H

#include "handlers/respond/response.h"

/* Rewrites a JSON body with an indent of two spaces (?pretty). The server calls it last. */
void respond_pretty(struct response *response);

#endif
