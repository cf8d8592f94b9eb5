/* Answers of POST /ops. */
#ifndef STEADYCACHE_D1_OPS_READ_H
#define STEADYCACHE_D1_OPS_READ_H

#include "backends/remote/protocol.h"

/* remote_dialect.read */
enum remote_step d1_ops_read(const struct remote_context *context, struct remote_call *call,
			     size_t part, const struct remote_answer *answer);

#endif
