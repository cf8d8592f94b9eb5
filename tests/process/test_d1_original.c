/* The d1 backend in front of the original Worker, which knows only /api: what it can do works, and
 * what it cannot do is refused, never pretended. */
#include "tests/process/client_run.h"
#include "tests/process/d1_scene.h"

#include <string.h>

D1_SUITE(d1_original);

static void start(void)
{
	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_ORIGINAL});
	d1_scene_start();
}

static const struct http_answer *api(const char *endpoint, const char *json)
{
	return http_post_json(scene.client, endpoint, json);
}

Test(d1_original, what_it_can_do_works)
{
	start();
	expect_body(api("/api/get", "{\"cache_name\":\"c\",\"key\":\"k\"}"),
		    SLICE("{\"found\":false}"));
	/* Never initialized: the first set does that. */
	expect_status(api("/api/set", "{\"cache_name\":\"c\",\"key\":\"k\",\"value\":\"v\"}"), 200);
	cr_expect_gt(mock_count(upstream, "\"max_size_mb\":100"), 0);
	cr_expect_gt(mock_count(upstream, "\"size\":1"), 0, "it wants a size");
	expect_body(api("/api/get", "{\"cache_name\":\"c\",\"key\":\"k\"}"),
		    SLICE("{\"found\":true,\"value\":\"v\"}"));
	expect_status(api("/api/batch/set",
			  "{\"cache_name\":\"c\",\"items\":[{\"key\":\"a\",\"value\":\"1\"},"
			  "{\"key\":\"b\",\"value\":\"2\"}]}"),
		      200);
	expect_body(api("/api/batch/get", "{\"cache_name\":\"c\",\"keys\":[\"b\",\"x\",\"a\"]}"),
		    SLICE("{\"results\":{\"b\":{\"found\":true,\"value\":\"2\"},"
			  "\"x\":{\"found\":false},\"a\":{\"found\":true,\"value\":\"1\"}}}"));
	expect_status(api("/api/init", "{\"cache_name\":\"c\",\"max_size_mb\":1.5}"), 200);
	cr_expect_eq(mock_count(upstream, "\"max_size_mb\":1.5"), 1);
	const struct http_answer *stats = api("/api/stats", "{\"cache_name\":\"c\"}");
	expect_status(stats, 200);
	expect_that(stats, strstr(stats->body, "\"entry_count\":3"), "expected three entries");
	expect_status(http_get(scene.client, "/cache/c/k"), 200);
	expect_status(http_get(scene.client, "/readyz"), 200);
	expect_status(api("/api/clear", "{\"cache_name\":\"c\"}"), 200);
	expect_status(http_get(scene.client, "/cache/c/k"), 404);
	/* /ops was asked once. */
	cr_expect_eq(mock_count(upstream, "{\"ops\":["), 1);
	scene_stop();
}

Test(d1_original, a_large_batch_stays_within_the_limits_of_d1)
{
	char json[8192] = "{\"cache_name\":\"c\",\"keys\":[";
	size_t len = strlen(json);

	start();
	expect_status(api("/api/set", "{\"cache_name\":\"c\",\"key\":\"150\",\"value\":\"v\"}"),
		      200);
	mock_forget(upstream);
	for (int i = 0; i < 200; i++)
		len += (size_t)sprintf(json + len, "%s\"%d\"", i ? "," : "", i);
	(void)strcpy(json + len, "]}");
	const struct http_answer *answer = api("/api/batch/get", json);
	expect_status(answer, 200);
	expect_that(answer, strstr(answer->body, "\"150\":{\"found\":true,\"value\":\"v\"}"), "?");
	cr_expect_eq(mock_requests(upstream), 3);
	scene_stop();
}

Test(d1_original, what_it_cannot_do_is_refused)
{
	start();
	expect_status(api("/api/set", "{\"cache_name\":\"c\",\"key\":\"k\",\"value\":\"v\"}"), 200);
	d1_expect_failure(api("/api/delete", "{\"cache_name\":\"c\",\"key\":\"k\"}"), 501,
			  "original D1 Worker");
	d1_expect_failure(api("/api/exists", "{\"cache_name\":\"c\",\"key\":\"k\"}"), 501,
			  "original D1 Worker");
	d1_expect_failure(api("/api/batch/delete", "{\"cache_name\":\"c\",\"keys\":[\"k\"]}"), 501,
			  "original D1 Worker");
	d1_expect_failure(http_delete(scene.client, "/cache/c/k"), 501, "original D1 Worker");
	d1_expect_failure(http_get(scene.client, "/cache/c?prefix=k"), 501, "original D1 Worker");
	d1_expect_failure(http_delete(scene.client, "/cache/c?prefix=k"), 501,
			  "clears only whole caches");
	d1_expect_failure(http_put(scene.client, "/cache/c/k", SLICE("x"),
				   "Content-Type: text/plain; charset=utf-8", "If-Match: *"),
			  501, "conditional");
	d1_expect_failure(http_put(scene.client, "/cache/c/k?ttl=5", SLICE("x"),
				   "Content-Type: text/plain; charset=utf-8"),
			  501, "time to live");
	d1_expect_failure(
		http_put(scene.client, "/cache/c/k", SLICE("x"), "Content-Type: text/css"), 501,
		"text/plain");
	d1_expect_failure(http_put(scene.client, "/cache/c/k", SLICE("\xFF"),
				   "Content-Type: text/plain; charset=utf-8"),
			  501, "UTF-8");
	d1_expect_failure(http_get(scene.client, "/cache/c/%FF"), 501, "UTF-8");
	d1_expect_failure(http_put_json(scene.client, "/cache/c", "{\"eviction\":\"lru\"}"), 501,
			  "max_size_mb");
	d1_expect_failure(http_put_json(scene.client, "/cache/c", "{\"compression\":\"zstd\"}"),
			  501, "max_size_mb");
	d1_expect_failure(http_put(scene.client, "/cache/c/k", SLICE("x"),
				   "Content-Type: text/plain; charset=utf-8", "X-Meta-A: 1"),
			  501, "text/plain");
	d1_expect_failure(http_request(scene.client, "PATCH", "/cache/c/k?ttl=5", NO_BODY,
				       HTTP_HEADERS(NULL)),
			  501, "time to live");
	d1_expect_failure(http_delete(scene.client, "/cache/c?drop"), 501, "cannot remove a cache");
	expect_body(http_get(scene.client, "/cache/c/k"), SLICE("v"));
	scene_stop();
}

Test(d1_original, its_failures_are_no_misses)
{
	scene_env("STEADYCACHE_D1_RETRIES=0");
	start();
	expect_status(api("/api/set", "{\"cache_name\":\"c\",\"key\":\"k\",\"value\":\"v\"}"), 200);
	mock_next(upstream, 1,
		  (struct mock_reply){.behaviour = MOCK_ANSWER, .status = 200, .body = "{}"});
	d1_expect_failure(http_get(scene.client, "/cache/c/k"), 503, "protocol");
	mock_next(upstream, 1,
		  (struct mock_reply){.behaviour = MOCK_ANSWER,
				      .status = 500,
				      .body = "{\"error\":\"too many SQL variables\"}"});
	d1_expect_failure(http_get(scene.client, "/cache/c/k"), 503, "5xx");
	mock_next(upstream, 1,
		  (struct mock_reply){.behaviour = MOCK_ANSWER,
				      .status = 500,
				      .body = "{\"error\":\"too many SQL variables\"}"});
	d1_expect_failure(api("/api/batch/set",
			      "{\"cache_name\":\"c\",\"items\":[{\"key\":\"a\",\"value\":\"1\"},"
			      "{\"key\":\"b\",\"value\":\"2\"}]}"),
			  503, "5xx");
	expect_status(http_get(scene.client, "/cache/c/k"), 200);
	scene_stop();
}

/* It lists nothing, so nothing can be migrated from it. */
Test(d1_original, migrate_does_not_pretend_to_be_complete)
{
	start();
	expect_status(api("/api/set", "{\"cache_name\":\"c\",\"key\":\"k\",\"value\":\"v\"}"), 200);
	(void)setenv("STEADYCACHE_D1_API_KEY", D1_TOKEN, 1);
	(void)setenv("D1", mock_url(upstream), 1);
	expect_run(3, "$S migrate d1+$D1 x.ndjson");
	cr_expect(holds("err", "cannot list its caches"));
	expect_run(1, "test -e x.ndjson");
	scene_stop();
}

/* Without conditional writes: what is there stays all the same. */
Test(d1_original, takes_the_caches_of_steadytext)
{
	start();
	expect_status(api("/api/set", "{\"cache_name\":\"c\",\"key\":\"k\",\"value\":\"v\"}"), 200);
	expect_run(
		0,
		"mkdir caches && sqlite3 caches/c.db \"CREATE TABLE cache (key TEXT PRIMARY KEY, "
		"value BLOB NOT NULL, frequency INTEGER DEFAULT 1, last_access INTEGER NOT NULL, "
		"size INTEGER NOT NULL); INSERT INTO cache VALUES "
		"('aw==', x'80054b012e', 3, 1, 5), ('YQ==', x'80054b012e', 3, 1, 5)\"");
	expect_run(0, "$S import-steadytext caches --dry-run --json");
	cr_expect(holds("out", "\"imported\":1,\"kept\":1"));
	expect_status(http_get(scene.client, "/cache/c/a"), 404);
	expect_run(0, "$S import-steadytext caches --json");
	cr_expect(holds("out", "\"imported\":1,\"kept\":1"));
	expect_body(api("/api/get", "{\"cache_name\":\"c\",\"key\":\"k\"}"),
		    SLICE("{\"found\":true,\"value\":\"v\"}"));
	expect_body(api("/api/get", "{\"cache_name\":\"c\",\"key\":\"a\"}"),
		    SLICE("{\"found\":true,\"value\":\"gAVLAS4=\"}"));
	expect_run(0, "$S import-steadytext caches --json");
	cr_expect(holds("out", "\"files_before\":1"));
	scene_stop();
}
