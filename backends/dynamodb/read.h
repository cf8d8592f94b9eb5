/* GET and EXISTS. */
#ifndef STEADYCACHE_DYNAMODB_READ_H
#define STEADYCACHE_DYNAMODB_READ_H

#include "backends/dynamodb/state.h"

/* Whether `job` may share a call with `first`. */
bool dynamodb_read_joins(const struct remote_job *first, const struct remote_job *job);

/* NULL: out of memory, and the ops have failed. */
const struct dynamodb_stage *dynamodb_read_begin(const struct remote_context *context,
						 struct remote_call *call);

#endif
