/* The dialect of the original Worker, POST /api/... */
#ifndef STEADYCACHE_D1_API_H
#define STEADYCACHE_D1_API_H

#include "backends/remote/protocol.h"

extern const struct remote_dialect d1_api_dialect;

#endif
