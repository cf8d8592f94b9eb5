/* CLEAR. */
#ifndef STEADYCACHE_DYNAMODB_CLEAR_H
#define STEADYCACHE_DYNAMODB_CLEAR_H

#include "backends/dynamodb/state.h"

const struct dynamodb_stage *dynamodb_clear_begin(const struct remote_context *context,
						  struct remote_call *call);

#endif
