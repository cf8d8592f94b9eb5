/* The outcomes of the store as HTTP statuses. */
#ifndef STEADYCACHE_HANDLERS_STATUS_H
#define STEADYCACHE_HANDLERS_STATUS_H

#include "base/status.h"

/* The HTTP status code that stands for `status`. */
unsigned status_http(enum cache_status status);

/* The sentence for `status` to a client of a server, which may say more than cache_status_text:
 * what the server's owner can do. Static storage. */
const char *status_text(enum cache_status status);

#endif
