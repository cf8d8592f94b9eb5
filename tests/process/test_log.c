/* The log tells what happens, and no secret: never a key, a value or a token. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(server_log);

#define TOKEN     "T0KENsecret"
#define BASIC     "VVNFUnNlY3JldDpUMEtFTnNlY3JldA==" /* USERsecret:T0KENsecret */
#define KEY       "KEYsecret"
#define VALUE     "VALUEsecret"
#define NAMESPACE "/cache/ns/"

/* One request of each kind, with secrets in all places where a user may have some. */
static void say_secrets(void)
{
	struct raw_socket raw;

	http_client_set_key(scene.client, TOKEN);
	expect_status(http_put(scene.client, NAMESPACE KEY, SLICE(VALUE)), 201);
	expect_status(http_get(scene.client, NAMESPACE KEY), 200);
	expect_status(http_get(scene.client, NAMESPACE KEY "?x=" VALUE), 200);
	expect_status(http_head(scene.client, NAMESPACE KEY), 200);
	expect_status(http_delete(scene.client, NAMESPACE KEY), 204);
	expect_status(http_delete(scene.client, NAMESPACE KEY), 404);
	expect_status(http_put(scene.client, NAMESPACE KEY "?ttl=" VALUE, SLICE(VALUE)), 400);
	expect_status(http_get(scene.client, "/cache/ns?prefix=" KEY "&cursor=!" KEY), 400);
	expect_status(http_post_json(scene.client, "/api/set",
				     "{\"cache_name\":\"ns\",\"key\":\"" KEY "\",\"value\":\"" VALUE
				     "\",\"size\":1}"),
		      200);
	expect_status(http_post_json(scene.client, "/api/get", "{\"key\":\"" KEY "\", " VALUE),
		      400);
	expect_status(http_post_json(scene.client, "/api/get",
				     "{\"cache_name\":\"" VALUE " \",\"key\":\"" KEY "\"}"),
		      400);
	expect_status(http_get(scene.client, "/nope/" KEY "?" VALUE), 404);
	expect_status(http_get(scene.client, NAMESPACE KEY, "Authorization: Bearer wrong" TOKEN),
		      401);
	expect_status(http_get(scene.client, NAMESPACE KEY, "Authorization: Basic " TOKEN), 401);
	expect_status(http_get(scene.client, NAMESPACE KEY, "Authorization: Basic " BASIC), 200);
	expect_status(http_get(scene.client, NAMESPACE KEY, "Authorization: Basic x" BASIC), 401);
	expect_status(http_get(scene.client, NAMESPACE KEY "/%00%ff%0a" VALUE,
			       "Authorization: Bearer " TOKEN),
		      404);
	cr_assert(raw_open(&raw, scene.server.url));
	(void)raw_send_text(&raw, "GARBAGE " NAMESPACE KEY " " VALUE "\r\n" TOKEN "\r\n\r\n");
	raw_shutdown(&raw);
	(void)raw_await_close(&raw, 10000);
	raw_close(&raw);
}

static void expect_no_secrets(const char *log)
{
	static const char *const secrets[] = {TOKEN, KEY, VALUE, "secret", "VVNFUnNlY3"};

	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		const char *found = strstr(log, secrets[i]);

		cr_assert(found == NULL, "the log holds %s: ...%.200s", secrets[i],
			  found && found - log > 100 ? found - 100 : found);
	}
}

static void run_verbosely(const char *backend, const char *format)
{
	scene_env_printf("STEADYCACHE_BACKEND=%s", backend);
	scene_env_printf("STEADYCACHE_LOG_FORMAT=%s", format);
	scene_env("STEADYCACHE_API_KEY=" TOKEN);
	scene_env("STEADYCACHE_LOG_LEVEL=debug");
	scene_env("STEADYCACHE_ACCESS_LOG=1");
	scene_start();
	say_secrets();
	scene_stop();
}

Test(server_log, logfmt_holds_no_secret)
{
	char *log;

	run_verbosely("sqlite", "logfmt");
	log = server_log(&scene.server);
	expect_no_secrets(log);
	cr_assert(strstr(log, "status=404"), "expected an access log: %s", log);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		cr_assert(strncmp(line, "time=", 5) == 0 && strstr(line, " level=") &&
				  strstr(line, " msg="),
			  "not a line of logfmt: %s", line);
	free(log);
}

Test(server_log, json_holds_no_secret_and_parses)
{
	char *log;
	size_t lines = 0;

	run_verbosely("memory", "json");
	log = server_log(&scene.server);
	expect_no_secrets(log);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"), lines++) {
		json_auto_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		cr_assert(json_is_string(json_object_get(document, "time")) &&
				  json_is_string(json_object_get(document, "level")) &&
				  json_is_string(json_object_get(document, "msg")),
			  "not a JSON object with time, level and msg: %s", line);
	}
	cr_assert_gt(lines, 15, "%zu lines", lines);
	free(log);
}

Test(server_log, no_access_log_unless_asked)
{
	char *log;

	scene_start();
	for (int i = 0; i < 20; i++)
		expect_status(scene_get("k"), 404);
	scene_stop();
	log = server_log(&scene.server);
	cr_assert_not(strstr(log, "status=404"), "requests are logged: %s", log);
	free(log);
}

Test(server_log, levels)
{
	char *log;

	scene_env("STEADYCACHE_LISTEN=127.0.0.1:0");
	scene_env("STEADYTEXT_LOG_LEVEL=ERROR");
	server_spawn(&scene.server);
	/* Nothing reveals the port: it is enough that the log stays empty. */
	cr_assert_not(server_await_log(&scene.server, "\n", 700));
	log = server_log(&scene.server);
	cr_assert_str_eq(log, "", "expected no line below error: %s", log);
	free(log);
	scene_stop();
}
