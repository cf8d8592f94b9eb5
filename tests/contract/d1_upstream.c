#include "tests/contract/d1_upstream.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/http_client.h"

bool contract_has_d1(void)
{
	return getenv("STEADYCACHE_TEST_D1_URL") != NULL;
}

static void empty_tables(const char *url)
{
	struct http_client *client = http_client_open(url, NULL);

	expect_status(http_post_json(client, "/", ""), 204);
	http_client_close(client);
}

void contract_prepare_d1(struct d1_config *config)
{
	empty_tables(getenv("STEADYCACHE_TEST_D1_EMPTIER_URL"));
	*config = (struct d1_config){
		.url = getenv("STEADYCACHE_TEST_D1_URL"),
		.api_key = getenv("STEADYCACHE_TEST_D1_KEY"),
		.timeout_us = 60 * US_PER_S,
		.retries = 2,
	};
}
