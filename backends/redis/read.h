/* Answers: what the replies mean for the jobs of a call. */
#ifndef STEADYCACHE_REDIS_READ_H
#define STEADYCACHE_REDIS_READ_H

#include "backends/remote/protocol.h"

/* remote_dialect.reads: whether some of the commands did not fail. */
bool redis_read_wants(const struct remote_answer *answer);

/* remote_dialect.read */
enum remote_step redis_read(const struct remote_context *context, struct remote_call *call,
			    size_t part, const struct remote_answer *answer);

#endif
