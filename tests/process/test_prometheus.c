/* /metrics: promtool has no complaints, the numbers equal those of /stats, and who may read
 * them. */
#include "tests/process/d1_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

D1_SUITE(prometheus);

#define KEY "the-token"

/* The sample of that name, including labels; -1 if there is none. */
static double sample(const struct http_answer *answer, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = answer->body; (at = strstr(at, name)) != NULL; at += len)
		if ((at == answer->body || at[-1] == '\n') && at[len] == ' ')
			return strtod(at + len, NULL);
	return -1;
}

/* Lets promtool check the text; skipped if it is not installed (./dev test installs it). */
static void check_with_promtool(const struct http_answer *answer)
{
	if (system("command -v promtool >/dev/null") != 0) {
		cr_log_warn("promtool (package prometheus) is not installed");
		return;
	}
	FILE *promtool = popen("promtool check metrics 2>&1", "w");
	cr_assert_not_null(promtool);
	cr_assert_eq(fwrite(answer->body, 1, answer->len, promtool), answer->len);
	int status = pclose(promtool);
	expect_that(answer, WIFEXITED(status) && WEXITSTATUS(status) == 0, "promtool objects");
}

Test(prometheus, the_numbers_of_a_cache)
{
	const struct http_answer *answer;

	scene_env("STEADYCACHE_BACKEND=sqlite");
	scene_env("STEADYCACHE_NEAR_MB=1");
	scene_start();
	expect_status(scene_put("k", "four"), 201);
	expect_status(scene_put("l", "five!"), 201);
	expect_status(scene_get("k"), 200);
	expect_status(scene_get("secret-key"), 404);
	expect_status(http_put_json(scene.client, "/cache/small", "{\"capacity\":3}"), 204);
	expect_status(http_get(scene.client, "/nowhere"), 404);
	answer = http_get(scene.client, "/metrics");
	expect_status(answer, 200);
	expect_header(answer, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	cr_expect_eq(sample(answer, "steadycache_entries{namespace=\"ns\"}"), 2);
	cr_expect_eq(sample(answer, "steadycache_bytes{namespace=\"ns\"}"), 9);
	cr_expect_eq(sample(answer, "steadycache_hits_total{namespace=\"ns\"}"), 1);
	cr_expect_eq(sample(answer, "steadycache_misses_total{namespace=\"ns\"}"), 1);
	cr_expect_eq(sample(answer, "steadycache_sets_total{namespace=\"ns\"}"), 2);
	cr_expect_eq(sample(answer, "steadycache_max_entries{namespace=\"small\"}"), 3);
	cr_expect_eq(sample(answer, "steadycache_requests_total{route=\"/cache/{ns}/{key}\","
				    "method=\"PUT\",status=\"201\"}"),
		     2);
	cr_expect_eq(sample(answer, "steadycache_requests_total{route=\"/cache/{ns}/{key}\","
				    "method=\"GET\",status=\"404\"}"),
		     1);
	cr_expect_eq(sample(answer, "steadycache_requests_total{route=\"none\",method=\"GET\","
				    "status=\"404\"}"),
		     1);
	cr_expect_eq(sample(answer, "steadycache_request_duration_seconds_count"
				    "{route=\"/cache/{ns}/{key}\",method=\"PUT\"}"),
		     2);
	cr_expect_gt(sample(answer, "steadycache_request_duration_seconds_sum"
				    "{route=\"/cache/{ns}/{key}\",method=\"PUT\"}"),
		     0);
	cr_expect_eq(sample(answer, "steadycache_backend_operations_total"
				    "{operation=\"set\",result=\"ok\"}"),
		     2);
	cr_expect_eq(sample(answer, "steadycache_backend_operations_total"
				    "{operation=\"get\",result=\"not_found\"}"),
		     1);
	cr_expect_eq(sample(answer, "steadycache_sqlite_group_ops_total"), 3,
		     "two sets, one limit");
	cr_expect_leq(sample(answer, "steadycache_sqlite_groups_total"), 3);
	cr_expect_gt(sample(answer, "steadycache_sqlite_group_seconds_total"), 0);
	cr_expect_eq(sample(answer, "steadycache_sqlite_queue"), 0);
	cr_expect_eq(sample(answer, "steadycache_connections"), 1);
	cr_expect_gt(sample(answer, "process_resident_memory_bytes"), 1 << 20);
	cr_expect_gt(sample(answer, "process_open_fds"), 3);
	cr_expect_gt(sample(answer, "process_cpu_seconds_total"), 0);
	expect_that(answer, !strstr(answer_->body, "secret-key"), "expected no key");
	check_with_promtool(answer);
	scene_stop();
}

Test(prometheus, an_upstream_that_is_away)
{
	const struct http_answer *answer;

	scene_env("STEADYCACHE_D1_RETRIES=0");
	d1_scene_start();
	answer = http_get(scene.client, "/metrics");
	expect_status(answer, 200);
	cr_expect_eq(sample(answer, "steadycache_backend_up"), 1);
	cr_expect_geq(sample(answer, "steadycache_upstream_requests_total"), 0);
	cr_expect_eq(sample(answer, "steadycache_upstream_breaker{state=\"closed\"}"), 1);
	check_with_promtool(answer);
	mock_go_down(upstream);
	expect_status(scene_get("k"), 503);
	answer = http_get(scene.client, "/metrics");
	expect_status(answer, 200);
	cr_expect_eq(sample(answer, "steadycache_backend_up"), 0);
	cr_expect_eq(sample(answer, "steadycache_backend_errors_total"
				    "{operation=\"get\",error=\"unavailable\"}"),
		     1);
	cr_expect_eq(sample(answer, "steadycache_requests_total{route=\"/cache/{ns}/{key}\","
				    "method=\"GET\",status=\"503\"}"),
		     1);
	check_with_promtool(answer);
	scene_stop();
}

/* A client that leaves in the middle of its body. */
Test(prometheus, who_leaves_gets_no_answer)
{
	struct raw_socket raw;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	cr_assert(raw_open(&raw, scene.server.url));
	cr_assert(raw_send_text(&raw, "PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 100\r\n\r\nthe beginning"));
	cr_assert(await_condition(
		sample(http_get(scene.client, "/metrics"), "steadycache_connections") == 2, 5000));
	raw_close(&raw);
	cr_expect(await_condition(sample(http_get(scene.client, "/metrics"),
					 "steadycache_requests_unanswered_total") == 1,
				  5000));
	cr_expect_eq(sample(http_get(scene.client, "/metrics"),
			    "steadycache_requests_total{route=\"/cache/{ns}/{key}\","
			    "method=\"PUT\",status=\"201\"}"),
		     -1);
	scene_stop();
}

/* ---- Who may read them ---- */

static void start_with(const char *listen, const char *setting)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_API_KEY=" KEY);
	scene_env(listen);
	scene_env(setting);
	scene_start();
}

static void expect_open(bool is_open)
{
	http_client_set_key(scene.client, NULL);
	expect_status(http_get(scene.client, "/metrics"), is_open ? 200 : 401);
	expect_status(http_head(scene.client, "/metrics"), is_open ? 200 : 401);
	expect_status(http_get(scene.client, "/stats"), 401);
	http_client_set_key(scene.client, KEY);
	expect_status(http_get(scene.client, "/metrics"), 200);
}

Test(prometheus, open_on_loopback)
{
	start_with("STEADYCACHE_LISTEN=127.0.0.1:0", "STEADYCACHE_METRICS_PUBLIC=auto");
	expect_open(true);
	/* But not a page of another site. */
	expect_status(http_get(scene.client, "/metrics", "Host: rebound.example"), 421);
	expect_status(http_get(scene.client, "/metrics", "Origin: https://other.example"), 403);
	scene_stop();
}

Test(prometheus, closed_elsewhere)
{
	start_with("STEADYCACHE_LISTEN=0.0.0.0:0", "STEADYCACHE_METRICS_PUBLIC=auto");
	expect_open(false);
	scene_stop();
}

Test(prometheus, open_when_told)
{
	start_with("STEADYCACHE_LISTEN=0.0.0.0:0", "STEADYCACHE_METRICS_PUBLIC=yes");
	expect_open(true);
	expect_status(http_get(scene.client, "/metrics", "Host: cache.example"), 200);
	scene_stop();
}

Test(prometheus, closed_when_told)
{
	start_with("STEADYCACHE_LISTEN=127.0.0.1:0", "STEADYCACHE_METRICS_PUBLIC=no");
	expect_open(false);
	scene_stop();
}
