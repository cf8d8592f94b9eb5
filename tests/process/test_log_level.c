/* The log level changes while the server runs: by the route, and by signals. */
#include "tests/process/scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(log_level);

#define ROUTE "/admin/log-level"

static void start(const char *level)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_LOG_FORMAT=json");
	scene_env_printf("STEADYCACHE_LOG_LEVEL=%s", level);
	scene_start();
}

static void expect_level(const struct http_answer *answer, const char *level,
			 const char *configured)
{
	json_auto_t *document = http_json(answer);

	expect_status(answer, 200);
	expect_header(answer, "Cache-Control", "no-store");
	expect_that(
		answer,
		json_object_size(document) == 2 &&
			http_text_equal(json_string_value(json_object_get(document, "level")),
					level) &&
			http_text_equal(json_string_value(json_object_get(document, "configured")),
					configured),
		"expected level %s and configured %s", level, configured);
}

#define A_REQUEST "\"msg\":\"request\""

Test(log_level, by_the_route)
{
	start("info");
	expect_level(http_get(scene.client, ROUTE), "info", "info");
	expect_status(scene_get("k"), 404);
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":\"debug\"}"), "debug", "info");
	expect_level(http_get(scene.client, ROUTE), "debug", "info");
	expect_header(http_head(scene.client, ROUTE), "Content-Type",
		      "application/json; charset=UTF-8");
	expect_status(scene_get("k"), 404);
	/* The line of a request is written after its answer, and before that of the next
	 * request. */
	cr_assert(server_await_log(&scene.server, "\"route\":\"/cache/{ns}/{key}\"", 10000));
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":\"error\"}"), "error", "info");
	size_t before = server_log_count(&scene.server, A_REQUEST);
	expect_status(scene_get("k"), 404);
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":null}"), "info", "info");
	expect_status(scene_get("k"), 404);
	scene_stop();
	cr_expect_eq(server_log_count(&scene.server, A_REQUEST), before);
	cr_expect_eq(server_log_count(&scene.server, "the log level has changed"), 2,
		     "to debug, and at error nothing");
	cr_expect_eq(server_log_count(&scene.server, "\"from\":\"error\",\"to\":\"info\""), 1);
}

Test(log_level, back_to_debug)
{
	start("debug");
	expect_level(http_get(scene.client, ROUTE), "debug", "debug");
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":\"warn\"}"), "warn", "debug");
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":null}"), "debug", "debug");
	scene_stop();
}

Test(log_level, a_restart_forgets_it)
{
	start("info");
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":\"debug\"}"), "debug", "info");
	scene_stop();
	scene_start();
	expect_level(http_get(scene.client, ROUTE), "info", "info");
	scene_stop();
}

Test(log_level, what_is_no_level)
{
	static const char *const bodies[] = {
		"",
		"{",
		"[]",
		"{}",
		"\"debug\"",
		"{\"level\":\"loud\"}",
		"{\"level\":\"DEBUG\"}",
		"{\"level\":\"\"}",
		"{\"level\":\"debug\\u0000\"}",
		"{\"level\":\"\\u0000debug\"}",
		"{\"level\":0}",
		"{\"level\":[\"debug\"]}",
		"{\"Level\":\"debug\"}",
	};

	start("info");
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const struct http_answer *answer = http_put_json(scene.client, ROUTE, bodies[i]);

		expect_status(answer, 400);
		expect_header(answer, "Content-Type", "application/problem+json");
	}
	expect_status(http_post_json(scene.client, ROUTE, "{\"level\":\"debug\"}"), 405);
	expect_status(http_delete(scene.client, ROUTE), 405);
	expect_level(http_get(scene.client, ROUTE), "info", "info");
	scene_stop();
}

Test(log_level, wants_the_token)
{
	scene_env("STEADYCACHE_API_KEY=key");
	start("info");
	expect_status(http_get(scene.client, ROUTE), 401);
	expect_status(http_put_json(scene.client, ROUTE, "{\"level\":\"debug\"}"), 401);
	http_client_set_key(scene.client, "key");
	expect_level(http_get(scene.client, ROUTE), "info", "info");
	scene_stop();
}

Test(log_level, by_signals)
{
	start("info");
	for (size_t round = 1; round <= 3; round++) {
		cr_assert_eq(kill(scene.server.pid, SIGUSR1), 0);
		cr_assert(await_condition(
			server_log_count(&scene.server, "\"to\":\"debug\"") == round, 10000));
		expect_level(http_get(scene.client, ROUTE), "debug", "info");
		cr_assert_eq(kill(scene.server.pid, SIGUSR2), 0);
		cr_assert(await_condition(
			server_log_count(&scene.server, "\"to\":\"info\"") == round, 10000));
		expect_level(http_get(scene.client, ROUTE), "info", "info");
	}
	/* A second time, which changes nothing. */
	cr_assert_eq(kill(scene.server.pid, SIGUSR2), 0);
	expect_level(http_get(scene.client, ROUTE), "info", "info");
	scene_stop();
	cr_expect_eq(server_log_count(&scene.server, "the log level has changed"), 6);
}

#define LOAD_THREADS  8
#define LOAD_REQUESTS 300

static const char *load(size_t index, void *user)
{
	static const char *const bodies[] = {"{\"level\":\"debug\"}", "{\"level\":\"error\"}",
					     "{\"level\":null}"};
	struct http_client *client = http_client_open(user, NULL);
	const char *failure = NULL;

	for (int i = 0; i < LOAD_REQUESTS && !failure; i++)
		if (index > 0 && http_get(client, "/cache/ns/k")->status != 200)
			failure = "a get failed";
		else if (index == 0 && http_put_json(client, ROUTE, bodies[i % 3])->status != 200)
			failure = "the level was not changed";
	http_client_close(client);
	return failure;
}

Test(log_level, under_load)
{
	start("info");
	expect_status(scene_put("k", "v"), 201);
	cr_assert_null(in_threads(LOAD_THREADS, load, scene.server.url));
	expect_level(http_put_json(scene.client, ROUTE, "{\"level\":null}"), "info", "info");
	scene_stop();
	char *log = server_log(&scene.server);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		json_auto_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		cr_assert_not_null(document, "not a line of JSON: %s", line);
	}
	free(log);
	cr_expect_geq(server_log_count(&scene.server, "\"to\":\"debug\""), LOAD_REQUESTS / 3);
	cr_expect_gt(server_log_count(&scene.server, A_REQUEST), 0);
}
