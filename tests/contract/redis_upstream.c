#include "tests/contract/redis_upstream.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool contract_has_redis(void)
{
	return getenv("STEADYCACHE_TEST_REDIS_URL") != NULL;
}

void contract_prepare_redis(struct backend_config *backend, struct redis_config *config)
{
	static char prefix[64];
	static unsigned turn;

	/* Below the prefix that a user of the server may have rights for. */
	(void)snprintf(prefix, sizeof(prefix), "steadycache:%lld-%u", (long long)getpid(), turn++);
	*config = (struct redis_config){
		.user = getenv("STEADYCACHE_REDIS_USER"),
		.password = getenv("STEADYCACHE_REDIS_PASSWORD"),
		.ca_file = getenv("STEADYCACHE_REDIS_CA_FILE"),
		.cert_file = getenv("STEADYCACHE_REDIS_CERT_FILE"),
		.key_file = getenv("STEADYCACHE_REDIS_KEY_FILE"),
		.prefix = prefix,
		.timeout_us = 20 * US_PER_S,
		.retries = 2,
	};
	backend->url = getenv("STEADYCACHE_TEST_REDIS_URL");
	backend->settings = config;
}
