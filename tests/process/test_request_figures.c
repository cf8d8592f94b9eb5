/* What /stats reports of requests and connections: every answer is counted once, whatever became of
 * it. */
#include "tests/process/d1_scene.h"

#include <string.h>

D1_SUITE(request_figures);

/* `requests` and `server.connections` of /stats. */
struct figures {
	double total, server_errors, connections;
	double p50, p90, p99, p999; /* in microseconds; -1: null */
	double counted;             /* in all steps of the histogram */
	double counted_from_1_s;
};

static double number_of(const json_t *object, const char *name)
{
	const json_t *number = json_object_get(object, name);

	return json_is_number(number) ? json_number_value(number) : -1;
}

static struct figures read_figures(void)
{
	const struct http_answer *answer = http_get(scene.client, "/stats");
	json_auto_t *document = http_json(answer);
	const json_t *requests = json_object_get(document, "requests");
	const json_t *latency = json_object_get(requests, "latency_us");
	const json_t *histogram = json_object_get(requests, "histogram");
	const json_t *upper = json_object_get(histogram, "upper_us");
	const json_t *count = json_object_get(histogram, "count");
	struct figures figures = {
		.total = number_of(requests, "total"),
		.server_errors = number_of(requests, "server_errors"),
		.connections = number_of(json_object_get(document, "server"), "connections"),
		.p50 = number_of(latency, "p50"),
		.p90 = number_of(latency, "p90"),
		.p99 = number_of(latency, "p99"),
		.p999 = number_of(latency, "p999"),
	};

	expect_status(answer, 200);
	expect_that(answer,
		    json_array_size(upper) > 1 && json_array_size(upper) == json_array_size(count),
		    "expected two arrays of one length");
	expect_that(answer, json_is_null(json_array_get(upper, json_array_size(upper) - 1)),
		    "expected a last step without a bound");
	for (size_t i = 0; i < json_array_size(count); i++) {
		double from = i > 0 ? json_number_value(json_array_get(upper, i - 1)) : 0;
		double number = json_number_value(json_array_get(count, i));

		figures.counted += number;
		figures.counted_from_1_s += from >= 1000000 ? number : 0;
	}
	cr_assert_eq(figures.counted, figures.total, "%f of %f", figures.counted, figures.total);
	return figures;
}

Test(request_figures, nothing_yet)
{
	struct figures figures;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	figures = read_figures();
	cr_expect_eq(figures.total, 0, "the request that asks is not included");
	cr_expect_eq(figures.server_errors, 0);
	cr_expect_eq(figures.connections, 1);
	cr_expect(figures.p50 == -1 && figures.p999 == -1, "expected null");
	scene_stop();
}

Test(request_figures, every_answer_counts_once)
{
	struct figures figures;
	struct raw_socket raw;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_MAX_BODY_MB=1");
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	expect_status(scene_get("k"), 200);
	expect_status(scene_get("absent"), 404);
	expect_status(http_head(scene.client, "/cache/ns/k"), 200);
	expect_status(http_get(scene.client, "/nowhere"), 404);
	expect_status(http_request(scene.client, "POST", "/cache/ns/k", NO_BODY, HTTP_HEADERS()),
		      405);
	expect_status(http_post_json(scene.client, "/api/get", "{"), 400);
	expect_status(http_post(scene.client, "/api/get", SLICE("no length is told"),
				"Transfer-Encoding: chunked"),
		      400);
	figures = read_figures();
	cr_expect_eq(figures.total, 8);
	cr_expect_eq(figures.server_errors, 0);
	cr_expect(0 < figures.p50 && figures.p50 <= figures.p90 && figures.p90 <= figures.p99 &&
		  figures.p99 <= figures.p999);

	/* Refused without reading the body. */
	cr_assert(raw_open(&raw, scene.server.url));
	cr_assert(raw_send_text(&raw, "PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n"
				      "Content-Length: 99999999\r\n\r\n"));
	cr_assert_eq(raw_await_answer(&raw, 5000), 413);
	raw_close(&raw);
	cr_expect_eq(read_figures().total, 10, "with the /stats before");
	scene_stop();
}

Test(request_figures, connections_come_and_go)
{
	struct raw_socket raw[3];

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	for (int i = 0; i < 3; i++) {
		cr_assert(raw_open(&raw[i], scene.server.url));
		cr_assert(
			raw_send_text(&raw[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
		cr_assert_eq(raw_await_answer(&raw[i], 5000), 200);
	}
	cr_expect_eq(read_figures().connections, 4);
	for (int i = 0; i < 3; i++)
		raw_close(&raw[i]);
	cr_expect(await_condition(read_figures().connections == 1, 5000));
	scene_stop();
}

#define CLIENTS 8
#define EACH    500

static const char *ask_much(size_t index, void *user)
{
	struct http_client *client = http_client_open(scene.server.url, NULL);
	const char *problem = NULL;

	(void)user;
	for (int i = 0; i < EACH && !problem; i++)
		if (http_get(client, index % 2 ? "/cache/ns/k" : "/cache/ns/absent")->status !=
		    (index % 2 ? 200 : 404))
			problem = "an unexpected status";
	http_client_close(client);
	return problem;
}

/* On several event loops, each with its own count. */
Test(request_figures, the_counts_of_all_threads_are_summed)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_THREADS=4");
	scene_start();
	expect_status(scene_put("k", "v"), 201);
	cr_assert_null(in_threads(CLIENTS, ask_much, NULL));
	cr_expect_eq(read_figures().total, 1 + CLIENTS * EACH);
	scene_stop();
}

/* A request that waits for the backend counts with all of its time. The test looks only at what
 * this request adds: on a busy machine others may be slow too, and the earlier /stats, which asks
 * D1, is counted after it has answered. */
Test(request_figures, a_slow_backend_shows)
{
	struct mock_reply slow = {.behaviour = MOCK_SERVE, .delay_ms = 1100};

	d1_scene_start();
	expect_status(scene_put("k", "v"), 201);
	double before = read_figures().counted_from_1_s;
	mock_next(upstream, 1, slow);
	expect_status(scene_get("k"), 200);
	struct figures figures = read_figures();
	cr_expect_geq(figures.counted_from_1_s, before + 1);
	cr_expect_geq(figures.p999, 800000);
	scene_stop();
}

Test(request_figures, a_backend_that_fails_shows)
{
	struct mock_reply broken = {.behaviour = MOCK_RESET};

	scene_env("STEADYCACHE_D1_RETRIES=0");
	d1_scene_start();
	mock_next(upstream, 2, broken);
	expect_status(scene_get("k"), 503);
	expect_status(scene_get("k"), 503);
	expect_status(scene_get("k"), 404);
	struct figures figures = read_figures();
	cr_expect_eq(figures.server_errors, 2);
	cr_expect_eq(figures.total, 3);
	scene_stop();
}
