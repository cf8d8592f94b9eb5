/* Calls and their stages: the dialect of the engine. */
#ifndef STEADYCACHE_DYNAMODB_CALL_H
#define STEADYCACHE_DYNAMODB_CALL_H

#include "backends/dynamodb/state.h"

/* Of every request. */
#define DYNAMODB_CONTENT_TYPE "application/x-amz-json-1.0"

extern const struct remote_dialect dynamodb_call_dialect;

/* remote_protocol.own_op */
struct cache_op *dynamodb_call_own_op(const struct remote_context *context, int64_t now_us,
				      int64_t *ret_next_us);

#endif
