/* The lines about slow and failed requests: which time makes a request slow, what the lines say,
 * and how many there are. */
#include "tests/process/d1_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

D1_SUITE(request_log);

#define KEY   "KEYsecret"
#define VALUE "VALUEsecret"

static json_t *all_lines(void)
{
	json_t *lines = json_array();
	char *log = server_log(&scene.server);

	cr_assert_null(strstr(log, "secret"), "a secret in the log: %s", log);
	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		json_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		cr_assert_not_null(document, "not a line of JSON: %s", line);
		(void)json_array_append_new(lines, document);
	}
	free(log);
	return lines;
}

static const char *text_of(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text ? text : "";
}

static long long number_of(const json_t *line, const char *name)
{
	return json_integer_value(json_object_get(line, name));
}

/* How many lines have that message; the last of them in `*ret`, borrowed. */
static size_t count_lines(const json_t *lines, const char *message, const json_t **ret_last)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);

		if (strcmp(text_of(line, "msg"), message) != 0)
			continue;
		count++;
		*ret_last = line;
	}
	return count;
}

static void start_slow(unsigned delay_ms)
{
	scene_env("STEADYCACHE_LOG_FORMAT=json");
	d1_scene_start();
	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_SERVE, .delay_ms = delay_ms});
}

Test(request_log, a_slow_backend)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_SLOW_REQUEST_MS=100");
	start_slow(300);
	expect_status(http_put(scene.client, "/cache/ns/" KEY, SLICE(VALUE), "X-Request-Id: slow-1",
			       "traceparent: "
			       "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		      201);
	const struct http_answer *answer = http_get(scene.client, "/cache/ns/" KEY);
	expect_status(answer, 200);
	expect_that(answer, http_header(answer, "X-Request-Id"), "it is logged, and tells its id");
	char *made = strdup(http_header(answer, "X-Request-Id"));
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_assert_eq(count_lines(lines, "slow request", &line), 2);
	cr_expect_str_eq(text_of(line, "level"), "warn");
	cr_expect_str_eq(text_of(line, "method"), "GET");
	cr_expect_str_eq(text_of(line, "route"), "/cache/{ns}/{key}");
	cr_expect_str_eq(text_of(line, "namespace"), "ns");
	cr_expect_str_eq(text_of(line, "request_id"), made);
	cr_expect_eq(number_of(line, "status"), 200);
	cr_expect_geq(number_of(line, "duration_ms"), 300);
	cr_expect_lt(number_of(line, "duration_ms"), 20000);
	cr_expect_geq(number_of(line, "backend_ms"), 300);
	cr_expect_leq(number_of(line, "backend_ms"), number_of(line, "duration_ms"));
	cr_expect_eq(number_of(line, "answer_bytes"), (long long)strlen(VALUE));
	cr_expect_null(json_object_get(line, "waited_ms"));
	cr_expect_null(json_object_get(line, "upload_ms"));
	line = json_array_get(lines, json_array_size(lines) - 4);
	cr_expect_str_eq(text_of(line, "request_id"), "slow-1");
	cr_expect_str_eq(text_of(line, "trace_id"), "0af7651916cd43dd8448eb211c80319c");
	cr_expect_eq(number_of(line, "received_bytes"), (long long)strlen(VALUE));
	free(made);
}

Test(request_log, a_batch_is_measured_too)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_SLOW_REQUEST_MS=100");
	start_slow(200);
	expect_status(http_post_json(scene.client, "/api/batch/get",
				     "{\"cache_name\":\"ns\",\"keys\":[\"" KEY "\",\"b\"]}"),
		      200);
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_assert_eq(count_lines(lines, "slow request", &line), 1);
	cr_expect_geq(number_of(line, "backend_ms"), 200);
	cr_expect_leq(number_of(line, "backend_ms"), number_of(line, "duration_ms"));
	cr_expect_str_eq(text_of(line, "route"), "/api/batch/get");
	cr_expect_str_eq(text_of(line, "namespace"), "ns");
}

Test(request_log, fast_enough_or_switched_off)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_SLOW_REQUEST_MS=60000");
	start_slow(150);
	expect_status(scene_get(KEY), 404);
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_expect_eq(count_lines(lines, "slow request", &line), 0);
}

Test(request_log, switched_off)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_SLOW_REQUEST_MS=0");
	start_slow(150);
	expect_status(scene_get(KEY), 404);
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_expect_eq(count_lines(lines, "slow request", &line), 0);
}

static void start_in_memory(void)
{
	scene_env("STEADYCACHE_LOG_FORMAT=json");
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_SLOW_REQUEST_MS=900");
	scene_start();
}

static const char *wait_for_value(size_t index, void *user)
{
	struct http_client *client = http_client_open(user, NULL);
	const struct http_answer *answer = http_get(client, "/cache/ns/" KEY "?wait=1");
	const char *failure = answer->status == 404 ? NULL : "a wait did not end as a miss";

	(void)index;
	http_client_close(client);
	return failure;
}

/* A request that asks to wait is not slow: whether it ends with a value, by the end of its wait, or
 * in between. */
Test(request_log, waiting_is_not_slow)
{
	const json_t *line = NULL;

	start_in_memory();
	expect_status(http_get(scene.client, "/cache/ns/" KEY "?lease=10"), 404);
	cr_assert_null(in_threads(4, wait_for_value, scene.server.url));
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_expect_eq(count_lines(lines, "slow request", &line), 0);
}

/* ... but the backend behind it may be. */
Test(request_log, a_slow_backend_behind_a_wait)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_SLOW_REQUEST_MS=100");
	start_slow(200);
	expect_status(http_get(scene.client, "/cache/ns/" KEY "?lease=10"), 404);
	expect_status(http_get(scene.client, "/cache/ns/" KEY "?wait=2"), 404);
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_assert_eq(count_lines(lines, "slow request", &line), 2);
	/* Two reads, and most of two seconds between them. */
	cr_expect_geq(number_of(line, "backend_ms"), 400);
	cr_expect_geq(number_of(line, "waited_ms"), 100);
	cr_expect_leq(number_of(line, "waited_ms"), 10000);
	cr_expect_leq(number_of(line, "backend_ms"), number_of(line, "duration_ms"));
}

static void send_slowly(const char *method, const char *target, const char *first,
			const char *second)
{
	struct raw_socket raw;

	cr_assert(raw_open(&raw, scene.server.url));
	cr_assert(raw_send_text(
		&raw, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", method,
		target, strlen(first) + strlen(second), first));
	nap_ms(1000);
	cr_assert(raw_send_text(&raw, "%s", second));
	int status = raw_await_answer(&raw, 10000);
	cr_expect(status == 200 || status == 201, "%d", status);
	raw_close(&raw);
}

#define LINE(key) "{\"key\":\"" key "\",\"value\":\"v\"}\n"

Test(request_log, a_slow_sender_is_not_slow)
{
	const json_t *line = NULL;

	start_in_memory();
	send_slowly("PUT", "/cache/ns/" KEY, VALUE, VALUE);
	send_slowly("POST", "/import?namespace=ns", LINE("a"), LINE("b"));
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_expect_eq(count_lines(lines, "slow request", &line), 0);
}

Test(request_log, a_slow_sender_to_a_slow_backend)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_SLOW_REQUEST_MS=100");
	start_slow(200);
	long long began_ms = steady_now_ms();
	send_slowly("PUT", "/cache/ns/" KEY, VALUE, VALUE);
	long long took_ms = steady_now_ms() - began_ms;
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_assert_eq(count_lines(lines, "slow request", &line), 1);
	cr_expect_geq(number_of(line, "upload_ms"), 500);
	cr_expect_geq(number_of(line, "duration_ms"), 200);
	cr_expect_geq(number_of(line, "backend_ms"), 200);
	cr_expect_leq(number_of(line, "duration_ms") + number_of(line, "upload_ms"), took_ms + 1,
		      "the sender's time is not the server's");
}

static const char *get_once(size_t index, void *user)
{
	struct http_client *client = http_client_open(user, NULL);
	char target[64];

	(void)snprintf(target, sizeof(target), "/cache/ns/%zu", index);
	const struct http_answer *answer = http_get(client, target);
	const char *failure = answer->status > 0 ? NULL : "no answer came";
	http_client_close(client);
	return failure;
}

/* At most ten lines in any second, and the number of those left out. */
static void expect_bounded(const char *message, const char *told, size_t requests)
{
	json_auto_t *lines = all_lines();
	const json_t *line = NULL;
	size_t i, count = 0, in_second = 0, left_out = 0;
	char second[32] = "";

	json_array_foreach(lines, i, line)
	{
		if (strcmp(text_of(line, "msg"), told) == 0)
			left_out += (size_t)number_of(line, "left_out");
		if (strcmp(text_of(line, "msg"), message) != 0)
			continue;
		count++;
		/* The bound uses seconds of another clock: two of them may meet in one. */
		in_second = strncmp(second, text_of(line, "time"), 19) == 0 ? in_second + 1 : 1;
		(void)snprintf(second, sizeof(second), "%.19s", text_of(line, "time"));
		cr_expect_leq(in_second, 20);
	}
	cr_expect_geq(count, 10);
	cr_expect_gt(left_out, 0);
	cr_expect_eq(count + left_out, requests, "%zu lines and %zu left out, of %zu", count,
		     left_out, requests);
}

Test(request_log, slow_requests_do_not_flood_the_log)
{
	scene_env("STEADYCACHE_SLOW_REQUEST_MS=50");
	start_slow(150);
	cr_assert_null(in_threads(60, get_once, scene.server.url));
	scene_stop();
	expect_bounded("slow request", "slow requests were left out of the log", 60);
}

Test(request_log, failed_requests_do_not_flood_the_log)
{
	start_slow(0);
	mock_go_down(upstream);
	cr_assert_null(in_threads(60, get_once, scene.server.url));
	scene_stop();
	expect_bounded("request failed", "failed requests were left out of the log", 60);
}

Test(request_log, a_failed_request_names_its_reason)
{
	const json_t *line = NULL;

	scene_env("STEADYCACHE_D1_TIMEOUT=1");
	start_slow(0);
	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_HANG});
	const struct http_answer *answer = scene_get(KEY);
	expect_status(answer, 504);
	char *id = strdup(http_header(answer, "X-Request-Id"));
	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_SERVE});
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_assert_eq(count_lines(lines, "request failed", &line), 1);
	cr_expect_str_eq(text_of(line, "level"), "warn");
	cr_expect_str_eq(text_of(line, "request_id"), id);
	cr_expect_eq(number_of(line, "status"), 504);
	cr_expect_geq(number_of(line, "duration_ms"), 250);
	cr_expect(strstr(text_of(line, "reason"), "in time"), "%s", text_of(line, "reason"));
	free(id);
}

/* Answers may repeat what D1 said of a statement; the log does not, because it may be anything. */
Test(request_log, what_the_upstream_says_stays_out)
{
	const json_t *line = NULL;

	start_slow(0);
	mock_next(upstream, 1,
		  (struct mock_reply){
			  .behaviour = MOCK_ANSWER,
			  .status = 200,
			  .headers = "Content-Type: application/json\r\n",
			  .body = "{\"results\":[{\"status\":\"internal\",\"detail\":\"" KEY
				  " is no good\"}]}"});
	d1_expect_failure(scene_get(KEY), 500, KEY);
	scene_stop();
	json_auto_t *lines = all_lines();
	cr_assert_eq(count_lines(lines, "request failed", &line), 1);
	cr_expect_str_eq(text_of(line, "level"), "error");
	cr_expect_neq(text_of(line, "reason")[0], '\0');
}
