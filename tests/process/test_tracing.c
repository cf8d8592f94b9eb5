/* X-Request-Id and W3C Trace Context: what is returned, what the log says, and what a remote
 * backend gets. */
#include "tests/process/d1_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

D1_SUITE(tracing);

#define TRACE_ID "0af7651916cd43dd8448eb211c80319c"
#define PARENT   "00-" TRACE_ID "-b7ad6b7169203331-01"

static bool is_made(const char *id)
{
	return id && strlen(id) == 24 && strspn(id, "0123456789abcdef") == 24;
}

static void expect_made_id(const struct http_answer *answer)
{
	const char *id = http_header(answer, "X-Request-Id");

	expect_that(answer, is_made(id), "expected an id of the server's own, not %s",
		    id ? id : "none");
}

/* ---- Answers ---- */

static void start_in_memory(void)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	expect_status(scene_put("k", "v"), 201);
}

Test(tracing, an_id_that_was_sent_comes_back_on_every_answer)
{
	static const struct {
		const char *method, *target, *body;
		long status;
	} requests[] = {
		{"GET", "/cache/ns/k", NULL, 200},
		{"HEAD", "/cache/ns/k", NULL, 200},
		{"GET", "/cache/ns/none", NULL, 404},
		{"PUT", "/cache/ns/k", "v", 204},
		{"DELETE", "/cache/ns/none", NULL, 404},
		{"GET", "/cache/ns", NULL, 200},
		{"GET", "/nope", NULL, 404},
		{"POST", "/cache/ns/k", "x", 405},
		{"POST", "/api/get", "{\"cache_name\":\"ns\",\"key\":\"k\"}", 200},
		{"POST", "/api/get", "{", 400},
		{"POST", "/batch/ns/get", "{\"keys\":[\"k\"]}", 200},
		{"GET", "/export", NULL, 200},
		{"POST", "/import?namespace=ns", "{\"key\":\"i\",\"value\":\"v\"}\n", 200},
		{"GET", "/healthz", NULL, 200},
	};

	start_in_memory();
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		char header[64], id[32];

		(void)snprintf(id, sizeof(id), "id:%zu/a=b@c", i);
		(void)snprintf(header, sizeof(header), "x-request-ID: %s", id);
		const struct http_answer *answer =
			http_request(scene.client, requests[i].method, requests[i].target,
				     requests[i].body ? slice_of(requests[i].body) : NO_BODY,
				     HTTP_HEADERS(header));

		expect_status(answer, requests[i].status);
		expect_header(answer, "X-Request-Id", id);
	}
	/* The next request of the connection is a different one. */
	expect_header(scene_get("k"), "X-Request-Id", NULL);
	scene_stop();
}

Test(tracing, without_one_only_errors_have_an_id)
{
	start_in_memory();
	expect_header(scene_get("k"), "X-Request-Id", NULL);
	expect_header(scene_get("none"), "X-Request-Id", NULL);
	expect_header(scene_put("k", "w"), "X-Request-Id", NULL);
	expect_header(http_delete(scene.client, "/cache/ns/none"), "X-Request-Id", NULL);
	expect_header(http_get(scene.client, "/healthz"), "X-Request-Id", NULL);
	expect_header(http_get(scene.client, "/cache/ns/k", "traceparent: " PARENT), "X-Request-Id",
		      NULL);
	expect_made_id(http_get(scene.client, "/nope"));
	expect_made_id(http_get(scene.client, "/cache/ns?limit=x"));
	expect_made_id(http_post_json(scene.client, "/api/get", "{"));
	expect_made_id(http_put(scene.client, "/cache/ns/k", SLICE("v"), "If-None-Match: *"));
	scene_stop();
}

/* The status of the one answer to `request`, and its id. */
static int ask_raw(const char *request, char *id, size_t size)
{
	struct raw_socket raw;
	const char *found = NULL;

	cr_assert(raw_open(&raw, scene.server.url));
	(void)raw_send_text(&raw, "%s", request);
	int status = raw_await_answer(&raw, 10000);
	found = strcasestr(raw.received, "\r\nX-Request-Id: ");
	(void)snprintf(id, size, "%.*s", found ? (int)strcspn(found + 16, "\r") : 0,
		       found ? found + 16 : "");
	raw_close(&raw);
	return status;
}

Test(tracing, refused_before_anything_was_looked_at)
{
	char id[200];

	scene_env("STEADYCACHE_API_KEY=key");
	scene_flag("--max-body-mb=0.01");
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	expect_header(http_get(scene.client, "/cache/ns/k", "X-Request-Id: mine",
			       "Authorization: Bearer wrong"),
		      "X-Request-Id", "mine");
	expect_made_id(http_get(scene.client, "/cache/ns/k", "Authorization: Bearer wrong"));
	cr_expect_eq(
		ask_raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Request-Id: two-hosts\r\n\r\n",
			id, sizeof(id)),
		400);
	cr_expect_str_eq(id, "two-hosts");
	cr_expect_eq(ask_raw("PUT /cache/ns/k HTTP/1.1\r\nHost: a\r\nX-Request-Id: large\r\n"
			     "Authorization: Bearer key\r\n"
			     "Content-Length: 900000\r\n\r\n",
			     id, sizeof(id)),
		     413);
	cr_expect_str_eq(id, "large");
	/* No Host. */
	cr_expect_eq(ask_raw("GET /cache/ns/k HTTP/1.1\r\n\r\n", id, sizeof(id)), 400);
	cr_expect(is_made(id), "%s", id);
	scene_stop();
}

Test(tracing, too_many_connections)
{
	struct raw_socket raw;
	char id[200];

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_flag("--max-connections=1");
	scene_start();
	cr_assert(raw_open(&raw, scene.server.url));
	cr_assert(raw_send_text(&raw, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"));
	cr_assert_eq(raw_await_answer(&raw, 10000), 200);
	cr_expect_eq(ask_raw("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", id, sizeof(id)), 503);
	cr_expect(is_made(id), "%s", id);
	raw_close(&raw);
	scene_stop();
}

/* ---- The log ---- */

/* The lines with this message, as a JSON array; the log must be entirely JSON. */
static json_t *lines_of(const char *message)
{
	json_t *found = json_array();
	char *log = server_log(&scene.server);

	for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
		json_auto_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

		cr_assert_not_null(document, "not a line of JSON: %s", line);
		if (strcmp(json_string_value(json_object_get(document, "msg")), message) == 0)
			(void)json_array_append(found, document);
	}
	free(log);
	return found;
}

static const char *text_of(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text ? text : "";
}

Test(tracing, lines_of_the_log_name_request_and_trace)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_LOG_FORMAT=json");
	scene_env("STEADYCACHE_ACCESS_LOG=1");
	scene_start();
	expect_status(
		http_get(scene.client, "/cache/ns/k", "X-Request-Id: mine", "traceparent: " PARENT),
		404);
	const struct http_answer *answer = scene_put("k", "v");
	expect_made_id(answer); /* it is logged, so the answer has its id */
	char *made = strdup(http_header(answer, "X-Request-Id"));
	expect_status(http_get(scene.client, "/cache/ns/k", "traceparent: " PARENT "-extra"), 200);
	scene_stop();
	json_auto_t *lines = lines_of("request");
	cr_assert_eq(json_array_size(lines), 3);
	cr_expect_str_eq(text_of(json_array_get(lines, 0), "request_id"), "mine");
	cr_expect_str_eq(text_of(json_array_get(lines, 0), "trace_id"), TRACE_ID);
	cr_expect_str_eq(text_of(json_array_get(lines, 1), "request_id"), made);
	cr_expect_null(json_object_get(json_array_get(lines, 1), "trace_id"));
	cr_expect(is_made(text_of(json_array_get(lines, 2), "request_id")));
	cr_expect_null(json_object_get(json_array_get(lines, 2), "trace_id"));
	free(made);
}

Test(tracing, hostile_ids_never_reach_log_or_answer)
{
	static const char *const hostile[] = {
		"ev\"il",
		"ev\\il",
		"\",\"level\":\"evil",
		"evil level=error",
		"e\tvil-evil",
		"evil\tmsg=x",
		"evil,evil",
		"\xC3\xA4vil-evil",
		"evil\xFF",
		"evil\x01",
		"evil\x7F",
		"<evil>",
		"${evil}",
		"evil%0d%0aX-Evil:%201",
		"evil\r\n x: folded",
	};
	char longest[600], request[2000], id[200];

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_LOG_FORMAT=json");
	scene_env("STEADYCACHE_ACCESS_LOG=1");
	scene_start();
	memset(longest, 'e', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "evil", 4);
	for (size_t i = 0; i <= sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *value = i < sizeof(hostile) / sizeof(hostile[0]) ? hostile[i] : longest;

		(void)snprintf(request, sizeof(request),
			       "GET /nope HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %s\r\n"
			       "traceparent: 00-%s\r\n\r\n",
			       value, value);
		int status = ask_raw(request, id, sizeof(id));
		/* The library itself may reject some of them. */
		cr_expect(status == 404 || status == 400, "%s: %d", value, status);
		cr_expect(is_made(id), "%s: %s", value, id);
	}
	scene_stop();
	char *log = server_log(&scene.server);
	cr_expect_null(strstr(log, "evil"), "%s", log);
	free(log);
	json_auto_t *lines = lines_of("request");
	cr_expect_geq(json_array_size(lines), 12);
}

/* ---- A remote backend ---- */

/* The value of a header in the head of upstream request `i`; "" if there is none, "twice" if there
 * are two. To be freed. */
static char *sent_header(unsigned i, const char *name)
{
	char line[80];
	char *head = mock_head(upstream, i);

	cr_assert_not_null(head, "the upstream has had no request %u", i);
	(void)snprintf(line, sizeof(line), "\r\n%s: ", name);
	const char *found = strcasestr(head, line);
	const char *value = found ? found + strlen(line) : "";
	char *copy = found && strcasestr(value, line) ? strdup("twice")
						      : strndup(value, strcspn(value, "\r"));
	free(head);
	return copy;
}

static void expect_sent(unsigned i, const char *name, const char *expected)
{
	char *sent = sent_header(i, name);

	cr_expect_str_eq(sent, expected, "request %u: %s: %s", i, name, sent);
	free(sent);
}

Test(tracing, d1_is_sent_both)
{
	static const struct {
		const char *method, *target, *body;
	} requests[] = {
		{"GET", "/cache/ns/k", NULL},
		{"PUT", "/cache/ns/k", "v"},
		{"DELETE", "/cache/ns/k", NULL},
		{"POST", "/api/batch/get", "{\"cache_name\":\"ns\",\"keys\":[\"a\",\"b\"]}"},
		{"POST", "/import?namespace=ns", "{\"key\":\"i\",\"value\":\"v\"}\n"},
		{"GET", "/stats/ns", NULL},
	};

	d1_scene_start();
	/* Before its first SET in a namespace a server asks for its settings. */
	(void)scene_put("k", "v");
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		mock_forget(upstream);
		(void)http_request(scene.client, requests[i].method, requests[i].target,
				   requests[i].body ? slice_of(requests[i].body) : NO_BODY,
				   HTTP_HEADERS("X-Request-Id: mine-1", "traceparent: " PARENT,
						"tracestate: a=1, b=2", "tracestate: c=3"));
		cr_assert_geq(mock_requests(upstream), 1, "%s", requests[i].target);
		expect_sent(0, "X-Request-Id", "mine-1");
		expect_sent(0, "traceparent", PARENT);
		expect_sent(0, "tracestate", "a=1,b=2,c=3");
	}
	scene_stop();
}

Test(tracing, an_export_is_traced_on_its_way)
{
	d1_scene_start();
	mock_forget(upstream);
	(void)http_get(scene.client, "/export?namespace=ns", "X-Request-Id: mine-2",
		       "traceparent: " PARENT);
	cr_assert_geq(mock_requests(upstream), 1);
	expect_sent(mock_requests(upstream) - 1, "X-Request-Id", "mine-2");
	expect_sent(mock_requests(upstream) - 1, "traceparent", PARENT);
	scene_stop();
}

Test(tracing, d1_is_sent_no_malformed_trace)
{
	d1_scene_start();
	mock_forget(upstream);
	(void)http_get(scene.client, "/cache/ns/k", "traceparent: 00-" TRACE_ID "-0-01",
		       "tracestate: a=1");
	(void)http_get(scene.client, "/cache/ns/k", "tracestate: a=1");
	(void)http_get(scene.client, "/cache/ns/k", "traceparent: " PARENT, "tracestate: =");
	(void)http_get(scene.client, "/cache/ns/k", "traceparent: " PARENT, "traceparent: " PARENT);
	cr_assert_eq(mock_requests(upstream), 4);
	for (unsigned i = 0; i < 4; i++) {
		char *id = sent_header(i, "X-Request-Id");

		expect_sent(i, "traceparent", i == 2 ? PARENT : "");
		expect_sent(i, "tracestate", "");
		cr_expect(is_made(id), "%s", id);
		free(id);
	}
	scene_stop();
}

Test(tracing, the_id_of_an_error_is_that_which_the_upstream_saw)
{
	d1_scene_start();
	scene_env("STEADYCACHE_D1_RETRIES=0");
	mock_forget(upstream);
	mock_next(upstream, 3, (struct mock_reply){.behaviour = MOCK_ANSWER, .status = 500});
	const struct http_answer *answer = scene_get("k");
	expect_status(answer, 503);
	expect_made_id(answer);
	expect_sent(0, "X-Request-Id", http_header(answer, "X-Request-Id"));
	/* A retry is the same request. */
	expect_sent(mock_requests(upstream) - 1, "X-Request-Id",
		    http_header(answer, "X-Request-Id"));
	scene_stop();
}

Test(tracing, by_way_of_the_near_cache)
{
	scene_flag("--near-mb=8");
	d1_scene_start();
	mock_forget(upstream);
	(void)http_get(scene.client, "/cache/ns/k", "X-Request-Id: near", "traceparent: " PARENT);
	expect_sent(0, "X-Request-Id", "near");
	expect_sent(0, "traceparent", PARENT);
	scene_stop();
}

static const char *get_with_id(size_t index, void *user)
{
	struct http_client *client = http_client_open(user, NULL);
	char target[64], header[64];

	(void)snprintf(target, sizeof(target), "/cache/ns/key-%zu", index % 8);
	(void)snprintf(header, sizeof(header), "X-Request-Id: of-%zu", index);
	const struct http_answer *answer = http_get(client, target, header, "traceparent: " PARENT);
	bool is_own = answer->status == 404 && http_header(answer, "X-Request-Id") &&
		      strcmp(http_header(answer, "X-Request-Id"), header + 14) == 0;
	http_client_close(client);
	return is_own ? NULL : "an answer without its request's own id";
}

/* Operations that share a request have one id there, which is one of theirs. */
Test(tracing, merged_operations)
{
	scene_flag("--d1-max-in-flight=1");
	d1_scene_start();
	mock_forget(upstream);
	mock_always(upstream, (struct mock_reply){.behaviour = MOCK_SERVE, .delay_ms = 50});
	cr_assert_null(in_threads(32, get_with_id, scene.server.url));
	cr_assert_lt(mock_requests(upstream), 32, "nothing was merged");
	for (unsigned i = 0; i < mock_requests(upstream); i++) {
		char *id = sent_header(i, "X-Request-Id");

		cr_expect(strncmp(id, "of-", 3) == 0, "%s", id);
		expect_sent(i, "traceparent", PARENT);
		free(id);
	}
	scene_stop();
}
