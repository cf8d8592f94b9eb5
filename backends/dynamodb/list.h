/* SCAN. */
#ifndef STEADYCACHE_DYNAMODB_LIST_H
#define STEADYCACHE_DYNAMODB_LIST_H

#include "backends/dynamodb/state.h"

const struct dynamodb_stage *dynamodb_list_begin(const struct remote_context *context,
						 struct remote_call *call);

#endif
