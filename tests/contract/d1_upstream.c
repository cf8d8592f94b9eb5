#include "tests/contract/d1_upstream.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/support/http_client.h"

#define ACCOUNT  "test-account"
#define DATABASE "test-database"

bool contract_has_d1(void)
{
	return getenv("STEADYCACHE_TEST_D1_REST_URL") != NULL;
}

static void empty_tables(const char *url, const char *token)
{
	static const char *const tables[] = {"entries", "contents", "dropped", "namespaces"};
	struct http_client *client = http_client_open(url, token);

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char body[80];

		(void)snprintf(body, sizeof(body), "{\"sql\":\"DELETE FROM %s\"}", tables[i]);
		const struct http_answer *answer = http_post_json(
			client, "/accounts/" ACCOUNT "/d1/database/" DATABASE "/query", body);
		/* There may be no tables yet: REST mode makes them. */
		expect_that(answer, answer->status == 200 || strstr(answer->body, "no such table"),
			    "the database cannot be emptied");
	}
	http_client_close(client);
}

void contract_prepare_d1(struct d1_config *config)
{
	const char *rest_url = getenv("STEADYCACHE_TEST_D1_REST_URL");
	const char *token = getenv("STEADYCACHE_TEST_D1_REST_TOKEN");
	const char *url = getenv("STEADYCACHE_TEST_D1_URL");

	empty_tables(rest_url, token);
	*config = (struct d1_config){
		.rest = url == NULL,
		.url = url,
		.api_key = getenv("STEADYCACHE_TEST_D1_KEY"),
		.rest_url = rest_url,
		.account_id = ACCOUNT,
		.database_id = DATABASE,
		.token = token,
		.timeout_ms = 60000,
		.retries = 2,
	};
}
