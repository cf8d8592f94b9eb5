/* The edge of the server: what is refused before it is a request is answered like everything else,
 * leaves nothing behind, and makes nobody wait. */
#include "tests/process/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

PROCESS_SUITE(edge);

#define ANSWER_MS 20000

static char *repeat(const char *text, size_t count)
{
	size_t len = strlen(text);
	char *all = malloc(len * count + 1);

	cr_assert(all);
	for (size_t i = 0; i < count; i++)
		memcpy(all + i * len, text, len);
	all[len * count] = '\0';
	return all;
}

/* Sends everything before it looks for an answer, as many clients do. */
static void expect_answer_behind(const char *head, const char *body, int status)
{
	struct raw_socket raw;

	cr_assert(raw_open(&raw, scene.server.url));
	(void)raw_send(&raw, slice_of(head));
	(void)raw_send(&raw, slice_of(body));
	cr_assert_eq(raw_await_answer(&raw, ANSWER_MS), status, "not %d: %s", status, raw.received);
	cr_assert(strstr(raw.received, "\r\nX-Request-Id: "), "%s", raw.received);
	cr_assert(strstr(raw.received, "\r\nContent-Type: application/problem+json\r\n"), "%s",
		  raw.received);
	cr_assert(raw_await_close(&raw, ANSWER_MS), "the connection stays open");
	raw_close(&raw);
}

static void expect_counted(const char *route, const char *method, int status, int times)
{
	const struct http_answer *metrics = http_get(scene.client, "/metrics");
	char line[200];

	(void)snprintf(
		line, sizeof(line),
		"\nsteadycache_requests_total{route=\"%s\",method=\"%s\",status=\"%d\"} %d\n",
		route, method, status, times);
	cr_assert(strstr(metrics->body, line), "no line %s", line);
}

static void expect_logged(const char *field)
{
	cr_assert(server_await_log(&scene.server, field, ANSWER_MS), "no line with %s", field);
}

Test(edge, refusals_reach_who_sends_first_and_reads_then)
{
	enum { TIMES = 30, CHUNKS = 200 };
	char *chunk = repeat("x", 65536), *framed = NULL, *long_text = repeat("k", 60000);
	char *head = NULL, *body = NULL;

	scene_env("STEADYCACHE_MAX_BODY_MB=1");
	scene_flag("--access-log");
	scene_start();
	cr_assert(asprintf(&framed, "10000\r\n%s\r\n", chunk) > 0);
	char *chunks = repeat(framed, CHUNKS);
	for (int i = 0; i < TIMES; i++)
		expect_answer_behind("PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n"
				     "Transfer-Encoding: chunked\r\n\r\n",
				     chunks, 413);
	cr_assert(asprintf(&head,
			   "PUT /cache/ns/%s HTTP/1.1\r\nHost: localhost\r\n"
			   "Content-Length: 1000000\r\n\r\n",
			   long_text) > 0);
	body = repeat("b", 1000000);
	for (int i = 0; i < TIMES; i++)
		expect_answer_behind(head, body, 414);
	free(head);
	cr_assert(asprintf(&head,
			   "PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\nX-Long: %s\r\n"
			   "Content-Length: 1000000\r\n\r\n",
			   long_text) > 0);
	for (int i = 0; i < TIMES; i++)
		expect_answer_behind(head, body, 431);
	expect_counted("/cache/{ns}/{key}", "PUT", 413, TIMES);
	expect_counted("none", "PUT", 414, TIMES);
	expect_counted("none", "PUT", 431, TIMES);
	expect_logged("status=413");
	expect_logged("status=414");
	expect_logged("status=431");
	expect_status(scene_get("k"), 404);
	scene_stop();
	free(head);
	free(body);
	free(chunk);
	free(framed);
	free(chunks);
	free(long_text);
}

/* The library opens a request with the URL, and may give it up silently afterwards. A stop waits
 * for requests in progress. */
Test(edge, what_is_given_up_is_closed_and_a_stop_is_quick)
{
	char *parameters = repeat("a&%", 130), *many = repeat("a&%", 20000);
	char *cookies = repeat("a;", 3000), *fields = repeat("A:\r\n", 300);
	const struct {
		const char *start, *text, *end;
		int status;
	} requests[] = {
		{"GET /healthz?", parameters, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"GET /healthz?", many, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 414},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: ", cookies, "\r\n\r\n", 200},
		{"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", fields, "\r\n", 431},
	};

	scene_start();
	for (size_t i = 0; i < 12; i++) {
		struct raw_socket raw;

		cr_assert(raw_open(&raw, scene.server.url));
		(void)raw_send(&raw, slice_of(requests[i % 4].start));
		(void)raw_send(&raw, slice_of(requests[i % 4].text));
		(void)raw_send(&raw, slice_of(requests[i % 4].end));
		cr_assert_eq(raw_await_answer(&raw, ANSWER_MS), requests[i % 4].status, "%zu: %s",
			     i % 4, raw.received);
		raw_close(&raw);
	}
	long long from_ms = steady_now_ms();
	scene_stop();
	cr_assert_lt(steady_now_ms() - from_ms, 5000, "the stop waited for nothing");
	free(parameters);
	free(many);
	free(cookies);
	free(fields);
}

/* Silent connections must not keep others from learning that there is no room. */
Test(edge, few_descriptors_and_many_silent_connections)
{
	enum { SILENT = 200, ASKING = 20 };
	static struct raw_socket silent[SILENT];
	char path[TEMP_PATH_SIZE];
	struct raw_socket raw;

	FILE *script = fopen(temp_dir_path(&scene.dir, "few-files", path), "w");
	cr_assert(script);
	(void)fprintf(script, "#!/bin/sh\nulimit -n 64\nexec '%s' \"$@\"\n",
		      getenv("STEADYCACHE_TEST_BINARY") ? getenv("STEADYCACHE_TEST_BINARY")
							: STEADYCACHE_BINARY);
	(void)fclose(script);
	cr_assert_eq(chmod(path, 0700), 0);
	(void)setenv("STEADYCACHE_TEST_BINARY", path, 1);
	scene_start();
	for (size_t i = 0; i < SILENT; i++)
		cr_assert(raw_open(&silent[i], scene.server.url));
	for (size_t i = 0; i < ASKING; i++) {
		cr_assert(raw_open(&raw, scene.server.url));
		(void)raw_send_text(&raw, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		cr_assert_eq(raw_await_answer(&raw, ANSWER_MS), 503, "%s", raw.received);
		cr_assert(strstr(raw.received, "\r\nRetry-After: 1\r\n"), "%s", raw.received);
		raw_close(&raw);
	}
	for (size_t i = 0; i < SILENT; i++)
		raw_close(&silent[i]);
	cr_assert(await_condition(http_get(scene.client, "/healthz")->status == 200, ANSWER_MS),
		  "the server does not recover");
	scene_stop();
}
