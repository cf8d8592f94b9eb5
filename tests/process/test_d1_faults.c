/* Everything that can go wrong between the server and D1. Always expected: the client gets a 503 or
 * 504 with one helpful sentence, never a miss; its connection stays usable; and once the upstream
 * is well, so is the server. */
#include "tests/process/d1_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

D1_SUITE(d1_faults);

static const char json_header[] = "Content-Type: application/json\r\n";
static const char html_header[] = "Content-Type: text/html\r\n";

static struct mock_reply answer(int status, const char *headers, const char *body)
{
	return (struct mock_reply){
		.behaviour = MOCK_ANSWER, .status = status, .headers = headers, .body = body};
}

static struct mock_reply just(enum mock_behaviour behaviour)
{
	return (struct mock_reply){.behaviour = behaviour};
}

/* Gets, puts and deletes fail with `status`, and all is well again within a second. */
static void expect_outage(struct mock_reply reply, long status, const char *words)
{
	mock_always(upstream, reply);
	d1_expect_failure(scene_get("k"), status, words);
	d1_expect_failure(scene_put("k", "other"), status, words);
	d1_expect_failure(http_delete(scene.client, "/cache/ns/k"), status, words);
	d1_expect_failure(http_post_json(scene.client, "/api/batch/get",
					 "{\"cache_name\":\"ns\",\"keys\":[\"k\",\"l\"]}"),
			  status, words);
	const struct http_answer *ready = http_get(scene.client, "/readyz");
	expect_status(ready, 503);
	expect_that(ready, strstr(ready->body, "failed upstream: "), "expected the line upstream");
	mock_always(upstream, just(MOCK_SERVE));
	d1_await_recovery(200);
	expect_body(scene_get("k"), SLICE("value"));
	expect_status(http_get(scene.client, "/readyz"), 200);
}

static void start_with_entry(void)
{
	d1_scene_start();
	expect_status(scene_put("k", "value"), 201);
	mock_forget(upstream);
}

Test(d1_faults, html)
{
	start_with_entry();
	expect_outage(answer(200, html_header, "<html>Sign in to the hotel's network</html>"), 503,
		      "STEADYTEXT_D1_API_URL");
	cr_expect_gt(d1_gauge("failures_bad_answer"), 0);
	scene_stop();
}

Test(d1_faults, json_of_another_kind)
{
	static const char *const bodies[] = {
		"{}",
		"[]",
		"{\"results\":[]}",
		"{\"results\":[{}]}",
		"{\"results\":[{\"status\":\"ok\"}]}",
		"{\"results\":[{\"status\":\"ok\",\"items\":[]}]}",
		"{\"results\":[{\"status\":\"ok\",\"items\":[{\"status\":\"ok\"}]}]}",
		"{\"results\":[{\"status\":\"ok\",\"items\":[{\"status\":\"ok\",\"value\":1}]}]}",
		("{\"results\":[{\"status\":\"ok\",\"items\":[{\"status\":7}]},{\"status\":\"ok\"}]"
		 "}"),
	};

	start_with_entry();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		mock_next(upstream, 1, answer(200, json_header, bodies[i]));
		d1_expect_failure(scene_get("k"), 503, "STEADYTEXT_D1_API_URL");
		expect_status(scene_get("k"), 200);
	}
	scene_stop();
}

Test(d1_faults, truncated_answer)
{
	struct mock_reply half = {
		.behaviour = MOCK_TRUNCATE,
		.status = 200,
		.body = "{\"results\":[{\"status\":\"ok\",\"items\":[{\"status\":\"not_found\"}]}]"
			"}",
	};

	scene_env("STEADYCACHE_D1_RETRIES=0");
	start_with_entry();
	expect_outage(half, 503, "broke off");
	cr_expect_gt(d1_gauge("failures_reset"), 0);
	scene_stop();
}

Test(d1_faults, truncated_json_in_a_whole_answer)
{
	start_with_entry();
	expect_outage(answer(200, json_header, "{\"results\":[{\"status\":\"ok\",\"ite"), 503,
		      "STEADYTEXT_D1_API_URL");
	scene_stop();
}

Test(d1_faults, reset)
{
	scene_env("STEADYCACHE_D1_RETRIES=0");
	start_with_entry();
	expect_outage(just(MOCK_RESET), 503, "broke off");
	scene_stop();
}

Test(d1_faults, wrong_token)
{
	start_with_entry();
	mock_set_key(upstream, "another");
	d1_expect_failure(scene_get("k"), 503, "STEADYTEXT_D1_API_KEY");
	d1_expect_failure(scene_put("k", "x"), 503, "STEADYTEXT_D1_API_KEY");
	mock_set_key(upstream, D1_TOKEN);
	expect_status(scene_get("k"), 200);
	cr_expect_eq(d1_gauge("failures_auth"), 2);
	mock_next(upstream, 1, answer(403, html_header, "Forbidden"));
	d1_expect_failure(scene_get("k"), 503, "STEADYTEXT_D1_API_KEY");
	scene_stop();
}

Test(d1_faults, server_errors)
{
	static const int statuses[] = {500, 502, 503, 504};

	scene_env("STEADYCACHE_D1_RETRIES=0");
	start_with_entry();
	for (size_t i = 0; i < 4; i++)
		expect_outage(answer(statuses[i], html_header, "<h1>Error</h1>"), 503, "5xx");
	cr_expect_geq(d1_gauge("failures_5xx"), 16);
	scene_stop();
}

Test(d1_faults, not_a_worker_at_all)
{
	start_with_entry();
	mock_always(upstream, answer(404, html_header, "<h1>Not Found</h1>"));
	d1_expect_failure(scene_get("k"), 503, "there is no D1 Worker");
	scene_stop();
}

Test(d1_faults, hanging)
{
	scene_env("STEADYCACHE_D1_TIMEOUT=0.5");
	start_with_entry();
	mock_always(upstream, just(MOCK_HANG));
	long long began_ms = steady_now_ms();
	d1_expect_failure(scene_get("k"), 504, "in time");
	cr_expect_lt(steady_now_ms() - began_ms, 5000);
	d1_expect_failure(scene_put("k", "x"), 504, "in time");
	mock_always(upstream, just(MOCK_SERVE));
	d1_await_recovery(200);
	scene_stop();
}

static const char *get_anything(size_t index, void *user)
{
	struct http_client *client = http_client_open(user, NULL);
	char target[64];
	const char *failure = NULL;

	http_client_set_timeout(client, 10000);
	for (int i = 0; i < 3 && !failure; i++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/%zu-%d", index, i);
		long status = http_get(client, target)->status;
		if (status != 503 && status != 504)
			failure = "a get of a hanging upstream was answered otherwise";
	}
	http_client_close(client);
	return failure;
}

Test(d1_faults, many_clients_and_a_hanging_upstream)
{
	scene_env("STEADYCACHE_D1_TIMEOUT=1.5");
	start_with_entry();
	mock_always(upstream, just(MOCK_HANG));
	cr_assert_null(in_threads(64, get_anything, scene.server.url));
	mock_always(upstream, just(MOCK_SERVE));
	d1_await_recovery(200);
	cr_expect_eq(d1_gauge("waiting"), 0);
	cr_expect_leq(d1_gauge("in_flight"), 1, "the statistics themselves");
	scene_stop();
}

/* Also with a near cache in front. The time of an operation would be 10 s. */
static void stop_while_the_upstream_hangs(const char *near_mb)
{
	struct raw_socket waiting;

	scene_env(near_mb);
	d1_scene_start();
	mock_always(upstream, just(MOCK_HANG));
	d1_send_get(&waiting);
	long long began_ms = steady_now_ms();
	scene_stop();
	cr_expect_lt(steady_now_ms() - began_ms, 7000);
	raw_close(&waiting);
}

Test(d1_faults, stops_while_the_upstream_hangs)
{
	stop_while_the_upstream_hangs("STEADYCACHE_NEAR_MB=0");
}

Test(d1_faults, stops_while_the_upstream_of_a_near_cache_hangs)
{
	stop_while_the_upstream_hangs("STEADYCACHE_NEAR_MB=8");
}

/* ---- Down ---- */

Test(d1_faults, down_and_back)
{
	start_with_entry();
	for (int i = 0; i < 3; i++) {
		mock_go_down(upstream);
		d1_expect_failure(scene_get("k"), 503, "cannot be reached");
		d1_expect_failure(scene_put("k", "x"), 503, "cannot be reached");
		/* By now the breaker is open: no waiting, except for what a busy machine adds. */
		long long fastest_ms = 1000;
		for (int j = 0; j < 6; j++) {
			long long began_ms = steady_now_ms();
			d1_expect_failure(scene_get("k"), 503, "cannot be reached");
			long long took_ms = steady_now_ms() - began_ms;
			fastest_ms = took_ms < fastest_ms ? took_ms : fastest_ms;
		}
		cr_expect_lt(fastest_ms, 100);
		mock_come_back(upstream);
		d1_await_recovery(200);
	}
	cr_expect_geq(d1_gauge("breaker_opened"), 3);
	scene_stop();
}

Test(d1_faults, starts_while_the_upstream_is_down)
{
	mock_go_down(upstream);
	d1_scene_start();
	d1_expect_failure(scene_get("k"), 503, "cannot be reached");
	expect_status(http_get(scene.client, "/healthz"), 200);
	mock_come_back(upstream);
	d1_await_recovery(404);
	scene_stop();
}

Test(d1_faults, a_restart_between_requests_is_not_noticed)
{
	start_with_entry();
	for (int i = 0; i < 3; i++) {
		mock_go_down(upstream);
		mock_come_back(upstream);
		expect_status(scene_get("k"), 200);
		mock_go_down(upstream);
		mock_come_back(upstream);
		expect_status(http_put(scene.client, "/cache/ns/k", SLICE("v"), "If-Match: *"),
			      204);
	}
	scene_stop();
}

/* ---- Retries ---- */

Test(d1_faults, idempotent_operations_are_tried_again)
{
	static const int statuses[] = {429, 500, 502, 503, 504};

	start_with_entry();
	for (size_t i = 0; i < 5; i++) {
		mock_next(upstream, 2, answer(statuses[i], html_header, "no"));
		expect_status(scene_get("k"), 200);
		mock_next(upstream, 2, answer(statuses[i], html_header, "no"));
		expect_status(scene_put("k", "value"), 204);
	}
	mock_next(upstream, 2, just(MOCK_RESET));
	expect_status(scene_get("k"), 200);
	/* libcurl repeats requests on broken connections that were used before. */
	cr_expect_geq(d1_gauge("retries"), 20);
	scene_stop();
}

Test(d1_faults, conditional_writes_are_never_repeated)
{
	static const int statuses[] = {429, 500, 502, 503, 504};
	char target[64];

	start_with_entry();
	for (size_t i = 0; i < 5; i++) {
		mock_forget(upstream);
		mock_next(upstream, 1, answer(statuses[i], html_header, "no"));
		d1_expect_failure(
			http_put(scene.client, "/cache/ns/new", SLICE("v"), "If-None-Match: *"),
			503, "");
		cr_expect_eq(mock_requests(upstream), 1);
	}
	/* Done, and then the answer is lost: on a connection that was used before, on which libcurl
	 * would repeat the request by itself. */
	for (int i = 0; i < 3; i++) {
		(void)snprintf(target, sizeof(target), "/cache/ns/ruined%d", i);
		expect_status(scene_get("k"), 200);
		mock_forget(upstream);
		mock_next(upstream, 1, just(i == 0 ? MOCK_RESET : MOCK_RUIN));
		d1_expect_failure(http_put(scene.client, target, SLICE("v"), "If-None-Match: *"),
				  503, "broke off");
		cr_expect_eq(mock_requests(upstream), 1, "it was sent %u times",
			     mock_requests(upstream));
		cr_expect_eq(http_get(scene.client, target)->status, i == 0 ? 404 : 200);
	}
	scene_stop();
}

Test(d1_faults, retry_after_is_honoured_and_passed_on)
{
	scene_env("STEADYCACHE_D1_TIMEOUT=10");
	start_with_entry();
	/* One second fits into an operation's time. */
	mock_next(upstream, 1, answer(429, "Retry-After: 1\r\n", "slow down"));
	long long began_ms = steady_now_ms();
	expect_status(scene_get("k"), 200);
	cr_expect_geq(steady_now_ms() - began_ms, 990);
	/* A minute does not. */
	mock_next(upstream, 1, answer(429, "Retry-After: 55\r\n", "slow down"));
	began_ms = steady_now_ms();
	const struct http_answer *refused = scene_get("k");
	d1_expect_failure(refused, 503, "429");
	expect_header(refused, "Retry-After", "55");
	cr_expect_lt(steady_now_ms() - began_ms, 5000);
	/* Nor does any other request go out before that. */
	mock_forget(upstream);
	d1_expect_failure(scene_put("k", "x"), 503, "429");
	cr_expect_eq(mock_requests(upstream), 0);
	scene_stop();
}

/* ---- Certificates ---- */

Test(d1_faults, plain_http_where_tls_is_expected)
{
	scene_env("STEADYCACHE_BACKEND=d1");
	scene_env_printf("STEADYTEXT_D1_API_URL=https%s", mock_url(upstream) + 4);
	scene_start();
	d1_expect_failure(scene_get("k"), 503, "D1");
	scene_stop();
}

/* ---- Secrets ---- */

Test(d1_faults, no_secrets_in_the_log)
{
	scene_env("STEADYCACHE_LOG_LEVEL=debug");
	scene_env("STEADYCACHE_ACCESS_LOG=1");
	scene_env("STEADYCACHE_D1_RETRIES=0");
	start_with_entry();
	mock_set_key(upstream, "another");
	(void)scene_get("KEYsecret");
	mock_set_key(upstream, D1_TOKEN);
	mock_always(upstream, answer(500, html_header, "VALUEsecret"));
	for (int i = 0; i < 8; i++)
		(void)scene_put("KEYsecret", "VALUEsecret");
	mock_always(upstream, just(MOCK_SERVE));
	d1_await_recovery(200);
	scene_stop();
	char *log = server_log(&scene.server);
	cr_expect(strstr(log, "STEADYTEXT_D1_API_KEY"), "the refused token is told");
	cr_expect(strstr(log, "fail at once"), "the open breaker is told");
	cr_expect(strstr(log, "answers again"), "and its end");
	cr_expect_not(strstr(log, "secret"), "%s", log);
	cr_expect_not(strstr(log, D1_TOKEN), "%s", log);
	cr_expect_not(strstr(log, mock_url(upstream)), "%s", log);
	free(log);
}
