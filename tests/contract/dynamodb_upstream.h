/* DynamoDB, or what speaks its protocol, for the contract's tests. */
#ifndef STEADYCACHE_TEST_CONTRACT_DYNAMODB_UPSTREAM_H
#define STEADYCACHE_TEST_CONTRACT_DYNAMODB_UPSTREAM_H

#include "backends/dynamodb/settings.h"

/* Whether DYNAMODB_BED_ENDPOINT names one (tests/cloud/bed.py). */
bool contract_has_dynamodb(void);
/* A cache of its own in it, in a table that all tests share. */
void contract_prepare_dynamodb(struct backend_config *backend, struct dynamodb_config *config);

#endif
