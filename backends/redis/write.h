/* Requests: which commands a call needs, and how they go to the server. */
#ifndef STEADYCACHE_REDIS_WRITE_H
#define STEADYCACHE_REDIS_WRITE_H

#include "backends/remote/protocol.h"

/* remote_dialect.write, with the script called as a function, and by its hash. */
bool redis_write_functions(const struct remote_context *context, struct remote_call *call,
			   size_t part, struct remote_request *request);
bool redis_write_script(const struct remote_context *context, struct remote_call *call, size_t part,
			struct remote_request *request);

#endif
