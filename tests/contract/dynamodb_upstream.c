#include "tests/contract/dynamodb_upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool contract_has_dynamodb(void)
{
	return getenv("DYNAMODB_BED_ENDPOINT") != NULL;
}

void contract_prepare_dynamodb(struct backend_config *backend, struct dynamodb_config *config)
{
	static char prefix[64];
	static unsigned turn;

	(void)snprintf(prefix, sizeof(prefix), "%lld-%u/", (long long)getpid(), turn++);
	*config = (struct dynamodb_config){
		.table = "contract",
		.region = getenv("AWS_REGION"),
		.endpoint = getenv("DYNAMODB_BED_ENDPOINT"),
		.prefix = prefix,
		.creates_table = true,
		.shards = 4, /* each takes requests */
		.timeout_us = 60 * US_PER_S,
		.retries = 8,
	};
	backend->settings = config;
}
