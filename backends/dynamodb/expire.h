/* EXPIRE: another time to live for entries, without their values. */
#ifndef STEADYCACHE_DYNAMODB_EXPIRE_H
#define STEADYCACHE_DYNAMODB_EXPIRE_H

#include "backends/dynamodb/state.h"

const struct dynamodb_stage *dynamodb_expire_begin(const struct remote_context *context,
						   struct remote_call *call);

#endif
