/* Which content codings a client takes: Accept-Encoding (RFC 9110, 12.5.3). */
#ifndef STEADYCACHE_HANDLERS_ACCEPT_H
#define STEADYCACHE_HANDLERS_ACCEPT_H

#include "handlers/respond/request.h"

/* The request has no Accept-Encoding. By the RFC it then takes anything; but what says nothing can
 * often decode nothing (curl, urllib, wget), so who can decode the value does. */
#define ACCEPT_UNSAID (-1)

/* How much the client wants `coding`, such as "gzip" or "identity" (any case; x-gzip is gzip, and
 * x-compress compress): its weight in thousandths, 0: not at all, or ACCEPT_UNSAID. Where the
 * header does not exclude it, identity is taken with at least 1. Elements that are none by the
 * RFC's grammar are left out; of two for one coding the first counts. */
int accept_quality(const struct request *request, struct slice coding);

/* Whether the client takes all codings of a Content-Encoding as they are: the least of their
 * weights, or ACCEPT_UNSAID. */
int accept_quality_of_all(const struct request *request, struct slice codings);

#endif
