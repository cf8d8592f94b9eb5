/* Requests of POST /ops. */
#ifndef STEADYCACHE_D1_OPS_WRITE_H
#define STEADYCACHE_D1_OPS_WRITE_H

#include "backends/remote/protocol.h"

/* remote_dialect.write; call->state becomes the groups of the request. */
bool d1_ops_write(const struct remote_context *context, struct remote_call *call, size_t part,
		  struct remote_request *request);

#endif
