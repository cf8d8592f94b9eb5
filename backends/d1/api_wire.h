/* Requests and answers of the original Worker. */
#ifndef STEADYCACHE_D1_API_WIRE_H
#define STEADYCACHE_D1_API_WIRE_H

#include "backends/remote/protocol.h"

/* remote_dialect.write */
bool d1_api_wire_write(const struct remote_context *context, struct remote_call *call, size_t part,
		       struct remote_request *request);
/* remote_dialect.reads */
bool d1_api_wire_reads(const struct remote_answer *answer);
/* remote_dialect.read */
enum remote_step d1_api_wire_read(const struct remote_context *context, struct remote_call *call,
				  size_t part, const struct remote_answer *answer);

#endif
