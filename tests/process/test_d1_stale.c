/* Stale serving in front of D1s that are older than it. */
#include "tests/process/d1_scene.h"

#include <stdlib.h>
#include <string.h>

D1_SUITE(d1_stale);

static void start_rest(void)
{
	scene_env("STEADYCACHE_BACKEND=d1");
	scene_env("STEADYCACHE_D1_TOKEN=" D1_TOKEN);
	scene_env_printf("STEADYCACHE_D1_REST_URL=%s", mock_url(upstream));
	scene_flag("--d1-mode=rest");
	scene_flag("--d1-account-id=account");
	scene_flag("--d1-database-id=database");
	scene_flag("--d1-retries=0");
	scene_start();
}

static void refuse_with(const char *body)
{
	mock_always(upstream, (struct mock_reply){
				      .behaviour = MOCK_ANSWER,
				      .status = 400,
				      .headers = "Content-Type: application/json\r\n",
				      .body = body,
			      });
}

/* Whether request `i` is one that makes tables, and makes the columns of stale serving. */
static void expect_migration(unsigned i, bool makes_tables)
{
	char *body = mock_body(upstream, i);

	cr_assert(body);
	cr_expect(strstr(body, "ALTER TABLE entries ADD COLUMN kept"), "%s", body);
	cr_expect_eq(strstr(body, "CREATE TABLE namespaces") != NULL, makes_tables, "%s", body);
	free(body);
}

Test(d1_stale, tables_of_an_older_version_are_completed)
{
	start_rest();
	refuse_with("{\"success\":false,\"result\":[],\"errors\":[{\"code\":7500,\"message\":"
		    "\"no such column: n.stale_ttl: SQLITE_ERROR\"}]}");
	mock_forget(upstream);
	cr_expect_eq(scene_get("k")->status, 500, "and tried once, not for ever");
	cr_assert_eq(mock_requests(upstream), 3);
	expect_migration(1, false);
	scene_stop();
}

Test(d1_stale, an_empty_database_gets_all_tables)
{
	start_rest();
	refuse_with("{\"success\":false,\"result\":[],\"errors\":[{\"code\":7500,\"message\":"
		    "\"no such table: namespaces: SQLITE_ERROR\"}]}");
	mock_forget(upstream);
	cr_expect_eq(scene_get("k")->status, 503);
	cr_assert_eq(mock_requests(upstream), 3);
	expect_migration(1, true);
	scene_stop();
}

/* The mock answers as a Worker that does not know the setting: with "ok", and nothing more. */
Test(d1_stale, a_worker_that_does_not_know_it_is_found_out)
{
	const struct http_answer *answer;

	d1_scene_start();
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"default_ttl\":5}"), 204);
	answer = http_put_json(scene.client, "/cache/ns", "{\"stale_ttl\":5}");
	expect_status(answer, 501);
	d1_expect_failure(answer, 501, "knows no stale_ttl");
	expect_status(scene_get("k"), 404);
	scene_stop();
}
