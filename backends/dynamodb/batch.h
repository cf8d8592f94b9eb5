/* SET of several items, as one transaction. */
#ifndef STEADYCACHE_DYNAMODB_BATCH_H
#define STEADYCACHE_DYNAMODB_BATCH_H

#include "backends/dynamodb/state.h"

const struct dynamodb_stage *dynamodb_batch_begin(const struct remote_context *context,
						  struct remote_call *call);

#endif
