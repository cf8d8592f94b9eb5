/* CONFIGURE. */
#ifndef STEADYCACHE_DYNAMODB_CONFIGURE_H
#define STEADYCACHE_DYNAMODB_CONFIGURE_H

#include "backends/dynamodb/state.h"

const struct dynamodb_stage *dynamodb_configure_begin(const struct remote_context *context,
						      struct remote_call *call);

#endif
