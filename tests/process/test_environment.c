/* SteadyText's names, as SteadyText documents them. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(environment);

static const struct http_answer *put(const char *ns, const char *key)
{
	char target[128];

	(void)snprintf(target, sizeof(target), "/cache/%s/%s", ns, key);
	return http_put(scene.client, target, SLICE("v"));
}

static const struct http_answer *get(const char *ns, const char *key)
{
	char target[128];

	(void)snprintf(target, sizeof(target), "/cache/%s/%s", ns, key);
	return http_get(scene.client, target);
}

static double stat_of(const char *ns, const char *name)
{
	char json[128];
	const struct http_answer *answer;
	json_auto_t *document = NULL;

	(void)snprintf(json, sizeof(json), "{\"cache_name\":\"%s\"}", ns);
	answer = http_post_json(scene.client, "/api/stats", json);
	expect_status(answer, 200);
	document = http_json(answer);
	return json_number_value(json_object_get(document, name));
}

static void default_limits(void)
{
	scene_start();
	cr_assert_eq(stat_of("generation_cache", "max_size_bytes"), 50 << 20);
	cr_assert_eq(stat_of("embedding_cache", "max_size_bytes"), 100 << 20);
	cr_assert_eq(stat_of("reranking_cache", "max_size_bytes"), 25 << 20);
	cr_assert_eq(stat_of("d1_cache", "max_size_bytes"), 100 << 20);
	cr_assert_eq(stat_of("any", "max_size_bytes"), 100 << 20);
	/* Many more entries than any default capacity of the original: no limit unless one is set.
	 */
	for (int i = 0; i < 700; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_status(put("generation_cache", key), 201);
	}
	cr_assert_eq(stat_of("generation_cache", "entry_count"), 700);
	scene_stop();
}

Test(environment, default_limits_sqlite)
{
	default_limits();
}

Test(environment, default_limits_memory)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	default_limits();
}

static void size_limits(void)
{
	scene_env("STEADYTEXT_GENERATION_CACHE_MAX_SIZE_MB=1.5");
	scene_env("STEADYTEXT_EMBEDDING_CACHE_MAX_SIZE_MB=7");
	scene_env("STEADYTEXT_RERANKING_CACHE_MAX_SIZE_MB=0.25");
	scene_env("STEADYCACHE_DEFAULT_MAX_SIZE_MB=3");
	scene_start();
	cr_assert_eq(stat_of("generation_cache", "max_size_bytes"), 1572864);
	cr_assert_eq(stat_of("embedding_cache", "max_size_bytes"), 7340032);
	cr_assert_eq(stat_of("reranking_cache", "max_size_bytes"), 262144);
	cr_assert_eq(stat_of("other", "max_size_bytes"), 3145728);
	/* A setting made over HTTP wins. */
	expect_status(http_post_json(scene.client, "/api/init",
				     "{\"cache_name\":\"reranking_cache\",\"max_size_mb\":1}"),
		      200);
	cr_assert_eq(stat_of("reranking_cache", "max_size_bytes"), 1048576);
	scene_stop();
}

Test(environment, size_limits_sqlite)
{
	size_limits();
	/* ... after a restart, too. */
	scene_start();
	cr_assert_eq(stat_of("reranking_cache", "max_size_bytes"), 1048576);
	cr_assert_eq(stat_of("generation_cache", "max_size_bytes"), 1572864);
	scene_stop();
}

Test(environment, size_limits_memory)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	size_limits();
}

/* A changed environment applies to what nobody configured, even if entries exist. */
Test(environment, a_changed_limit_counts_after_a_restart)
{
	scene_start();
	expect_status(put("generation_cache", "k"), 201);
	scene_stop();
	scene_env("STEADYTEXT_GENERATION_CACHE_MAX_SIZE_MB=2");
	scene_start();
	cr_assert_eq(stat_of("generation_cache", "max_size_bytes"), 2097152);
	scene_stop();
}

static void capacities(const char *gone_first)
{
	scene_env("STEADYTEXT_GENERATION_CACHE_CAPACITY=3");
	scene_env("STEADYTEXT_EMBEDDING_CACHE_CAPACITY=2");
	scene_start();
	expect_status(put("generation_cache", "a"), 201);
	expect_status(put("generation_cache", "b"), 201);
	expect_status(put("generation_cache", "c"), 201);
	for (int i = 0; i < 20; i++)
		expect_status(get("generation_cache", "a"), 200);
	expect_status(put("generation_cache", "d"), 201);
	cr_assert_eq(stat_of("generation_cache", "entry_count"), 3);
	expect_status(get("generation_cache", gone_first), 404);
	expect_status(get("generation_cache", "d"), 200);
	for (int i = 0; i < 10; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_status(put("embedding_cache", key), 201);
		expect_status(put("other", key), 201);
	}
	cr_assert_eq(stat_of("embedding_cache", "entry_count"), 2);
	cr_assert_eq(stat_of("other", "entry_count"), 10);
	scene_stop();
}

Test(environment, capacity_is_fifo_in_memory)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	capacities("a");
}

Test(environment, capacity_is_frecency_in_sqlite)
{
	capacities("b");
}

static void disabled(void)
{
	scene_env("STEADYTEXT_DISABLE_CACHE=1");
	scene_start();
	expect_that(put("ns", "k"), answer_->status / 100 == 2, "expected success");
	expect_status(get("ns", "k"), 404);
	expect_body(
		http_post_json(scene.client, "/api/set",
			       "{\"cache_name\":\"ns\",\"key\":\"k\",\"value\":\"v\",\"size\":1}"),
		SLICE("{\"success\":true}"));
	expect_body(
		http_post_json(scene.client, "/api/get", "{\"cache_name\":\"ns\",\"key\":\"k\"}"),
		SLICE("{\"found\":false}"));
	expect_body(http_post_json(scene.client, "/api/init",
				   "{\"cache_name\":\"ns\",\"max_size_mb\":1}"),
		    SLICE("{\"success\":true,\"message\":\"Cache initialized\"}"));
	expect_body(
		http_post_json(scene.client, "/api/batch/set",
			       "{\"cache_name\":\"ns\",\"items\":[{\"key\":\"k\",\"value\":\"v\","
			       "\"size\":1}]}"),
		SLICE("{\"success\":true}"));
	expect_body(http_post_json(scene.client, "/api/batch/get",
				   "{\"cache_name\":\"ns\",\"keys\":[\"k\"]}"),
		    SLICE("{\"results\":{\"k\":{\"found\":false}}}"));
	expect_body(http_post_json(scene.client, "/api/clear", "{\"cache_name\":\"ns\"}"),
		    SLICE("{\"success\":true}"));
	cr_assert_eq(stat_of("ns", "entry_count"), 0);
	expect_status(http_get(scene.client, "/cache/ns"), 200);
	expect_status(http_get(scene.client, "/readyz"), 200);
	scene_stop();
	cr_assert_eq(folder_count(scene.dir.path, "data", NULL), 0, "a disabled cache made files");
}

Test(environment, disable_cache_over_sqlite)
{
	disabled();
}

Test(environment, disable_cache_over_memory)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	disabled();
}

Test(environment, skip_cache_init_is_memory_without_room)
{
	scene_env("STEADYTEXT_SKIP_CACHE_INIT=1");
	scene_start();
	expect_that(put("generation_cache", "k"), answer_->status / 100 == 2, "expected success");
	expect_status(get("generation_cache", "k"), 404);
	expect_that(put("any", "k"), answer_->status / 100 == 2, "expected success");
	expect_status(get("any", "k"), 404);
	cr_assert_eq(stat_of("any", "entry_count"), 0);
	expect_that(http_get(scene.client, "/stats"), strstr(answer_->body, "\"memory\"") != NULL,
		    "expected the memory backend");
	scene_stop();
	cr_assert_eq(folder_count(scene.dir.path, "data", NULL), 0, "a database was made");
}

Test(environment, switched_off_means_off)
{
	scene_env("STEADYTEXT_DISABLE_CACHE=0");
	scene_env("STEADYTEXT_SKIP_CACHE_INIT=0");
	scene_start();
	expect_status(put("ns", "k"), 201);
	expect_status(get("ns", "k"), 200);
	scene_stop();
}

static void key_is(const char *setting, const char *key)
{
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_env(setting);
	scene_start();
	expect_status(get("ns", "k"), 401);
	http_client_set_key(scene.client, key);
	expect_status(get("ns", "k"), 404);
	scene_stop();
}

Test(environment, both_names_of_the_key)
{
	key_is("STEADYCACHE_API_KEY=first", "first");
	key_is("API_KEY=second", "second");
	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	scene_env("API_KEY=second");
	scene_env("STEADYCACHE_API_KEY=first");
	scene_start();
	http_client_set_key(scene.client, "second");
	expect_status(get("ns", "k"), 401);
	http_client_set_key(scene.client, "first");
	expect_status(get("ns", "k"), 404);
	scene_stop();
}

Test(environment, steadytext_backend_names)
{
	scene_env("STEADYTEXT_CACHE_BACKEND=memory");
	scene_start();
	expect_that(http_get(scene.client, "/stats"), strstr(answer_->body, "\"memory\"") != NULL,
		    "expected the memory backend");
	scene_stop();
	scene_env("STEADYCACHE_BACKEND=sqlite");
	scene_start();
	expect_that(http_get(scene.client, "/stats"), strstr(answer_->body, "\"sqlite\"") != NULL,
		    "expected the SQLite backend");
	scene_stop();
}

Test(environment, ipv6)
{
	scene_env("STEADYCACHE_LISTEN=[::1]:0");
	scene_start();
	cr_assert(strstr(scene.server.url, "http://[::1]:"), "%s", scene.server.url);
	expect_status(put("ns", "k"), 201);
	scene_stop();
}

Test(environment, variables_that_are_no_settings_are_named)
{
	scene_env("STEADYCACHE_TREADS=4");
	scene_env("STEADYCACHE_DATA_DIR_FILE=secret");
	scene_env("STEADYCACHE_API_KEY_FILE="); /* an empty one is none */
	scene_env("STEADYCACHE_URL=http://127.0.0.1:1");
	scene_env("STEADYCACHE_LIBRARY=/lib/libsteadycache.so.0");
	scene_env("STEADYCACHED=1");
	scene_start();
	scene_stop();
	char *log = server_log(&scene.server);
	const char *line = strstr(log, "no settings");

	cr_assert(line != NULL, "%s", log);
	char *names = strndup(line, strcspn(line, "\n"));
	cr_expect(strstr(names, "STEADYCACHE_TREADS") && strstr(names, "STEADYCACHE_DATA_DIR_FILE"),
		  "%s", names);
	cr_expect(!strstr(names, "API_KEY") && !strstr(names, "_URL") &&
			  !strstr(names, "LIBRARY") && !strstr(names, "secret") &&
			  !strstr(names, "STEADYCACHED") && !strstr(names, "_LISTEN"),
		  "%s", names);
	free(names);
	free(log);
}

Test(environment, settings_cause_no_warning)
{
	scene_env("STEADYCACHE_THREADS=2");
	scene_start();
	scene_stop();
	char *log = server_log(&scene.server);

	cr_expect_null(strstr(log, "no settings"), "%s", log);
	free(log);
}

/* Settings that chose Cloudflare's own endpoint in earlier versions are reported, not ignored. */
Test(environment, the_removed_way_to_d1_ends_the_start)
{
	scene_env("STEADYCACHE_D1_MODE=rest");
	scene_expect_refused_start("worker/README.md");
	scene_env("STEADYCACHE_D1_MODE=worker");
	scene_env("STEADYCACHE_D1_ACCOUNT_ID=account");
	scene_start();
	scene_stop();
	char *log = server_log(&scene.server);
	cr_expect(strstr(log, "STEADYCACHE_D1_MODE") && strstr(log, "STEADYCACHE_D1_ACCOUNT_ID"),
		  "%s", log);
	free(log);
}
