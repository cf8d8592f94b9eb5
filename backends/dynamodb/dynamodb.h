/* The dynamodb backend: Amazon DynamoDB, or what speaks its protocol. See docs/dynamodb.md. */
#ifndef STEADYCACHE_DYNAMODB_DYNAMODB_H
#define STEADYCACHE_DYNAMODB_DYNAMODB_H

#include "store/backend.h"

extern const struct backend_ops dynamodb_backend_ops;

#endif
