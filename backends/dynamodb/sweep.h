/* What has expired is removed, in bounded steps, and counted: long before DynamoDB does so by
 * itself. */
#ifndef STEADYCACHE_DYNAMODB_SWEEP_H
#define STEADYCACHE_DYNAMODB_SWEEP_H

#include "backends/dynamodb/state.h"

/* When a sweep of some namespace is due, monotonic; INT64_MAX: none is known to be. If it is due
 * now, that namespace is state->swept. */
int64_t dynamodb_sweep_due_us(const struct remote_context *context, int64_t now_us);

const struct dynamodb_stage *dynamodb_sweep_begin(const struct remote_context *context,
						  struct remote_call *call);

#endif
