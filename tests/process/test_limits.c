/* Every limit has its own answer, and none of them ends the service. */
#include "tests/process/scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

PROCESS_SUITE(limits);

static char *repeat(char byte, size_t count)
{
	char *text = malloc(count + 1);

	cr_assert(text);
	memset(text, byte, count);
	text[count] = '\0';
	return text;
}

/* Posts {"items":[{"key":..,"value":..},...]} made of an object's members. */
static const struct http_answer *post_batch_set(json_t *members)
{
	json_auto_t *body = json_object();
	json_t *items = json_array(), *value;
	const char *key;

	json_object_foreach(members, key, value)(void)
		json_array_append_new(items, json_pack("{s:s, s:O}", "key", key, "value", value));
	(void)json_object_set_new(body, "items", items);
	char *text = json_dumps(body, JSON_COMPACT);
	const struct http_answer *answer = http_post_json(scene.client, "/batch/ns/set", text);
	free(text);
	return answer;
}

static void expect_service(void)
{
	expect_that(scene_put("alive", "yes"), answer_->status / 100 == 2, "expected success");
	expect_body(scene_get("alive"), SLICE("yes"));
}

Test(limits, body)
{
	char *body = repeat('x', 104858);

	scene_env("STEADYCACHE_MAX_BODY_MB=0.1");
	scene_start();
	/* 104857.6 bytes. */
	expect_status(http_put(scene.client, "/cache/ns/k", ((struct slice){body, 104857})), 201);
	expect_status(http_put(scene.client, "/cache/ns/k", ((struct slice){body, 104858})), 413);
	expect_status(http_put(scene.client, "/cache/ns/k", ((struct slice){body, 104858}),
			       "Transfer-Encoding: chunked"),
		      413);
	expect_status(http_post(scene.client, "/api/get", ((struct slice){body, 104858})), 413);
	expect_service();
	free(body);
	scene_stop();
}

/* Keys may be whole prompts: the cursor after one must fit into a URL. */
Test(limits, cursors_behind_long_keys_fit_into_a_url)
{
	enum { KEYS = 5, KEY_BYTES = 30000 };
	char *key = repeat('k', KEY_BYTES);
	json_t *keys = json_object();

	scene_start();
	for (int i = 0; i < KEYS; i++) {
		key[0] = (char)('a' + i);
		cr_assert_eq(json_object_set_new(keys, key, json_string("v")), 0);
	}
	expect_status(post_batch_set(keys), 200);
	for (int limit = 1; limit <= KEYS + 1; limit++) {
		char target[8192] = "";
		int met = 0;

		(void)snprintf(target, sizeof(target), "/cache/ns?limit=%d", limit);
		for (bool complete = false; !complete;) {
			const struct http_answer *answer = http_get(scene.client, target);
			json_auto_t *page = http_json(answer);
			const json_t *entry;
			size_t i;

			expect_status(answer, 200);
			json_array_foreach(json_object_get(page, "keys"), i, entry)
			{
				const char *name = json_string_value(json_object_get(entry, "key"));

				cr_assert_eq(name[0], 'a' + met++);
				cr_assert_eq(strlen(name), KEY_BYTES);
			}
			complete = json_is_true(json_object_get(page, "complete"));
			if (!complete)
				(void)snprintf(target, sizeof(target),
					       "/cache/ns?limit=%d&cursor=%s", limit,
					       json_string_value(json_object_get(page, "cursor")));
		}
		cr_assert_eq(met, KEYS, "limit %d: %d", limit, met);
	}
	json_decref(keys);
	free(key);
	scene_stop();
}

/* Refused because of the length alone: the answer comes before any byte of the body is sent. */
Test(limits, body_is_refused_before_it_is_read)
{
	struct raw_socket raw;

	scene_env("STEADYCACHE_MAX_BODY_MB=1");
	scene_start();
	for (int with_expect = 0; with_expect < 2; with_expect++) {
		cr_assert(raw_open(&raw, scene.server.url));
		cr_assert(raw_send_text(&raw,
					"PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n"
					"Content-Length: 999999999999\r\n%s\r\n",
					with_expect ? "Expect: 100-continue\r\n" : ""));
		cr_assert(raw_await(&raw, "\r\n\r\n", 5000), "no answer");
		cr_assert(strncmp(raw.received, "HTTP/1.1 413 ", 13) == 0, "%s", raw.received);
		cr_assert(strstr(raw.received, "100 Continue") == NULL);
		raw_close(&raw);
	}
	expect_service();
	scene_stop();
}

/* A client that sends its too large body all the same must see the answer, not a reset. */
Test(limits, the_answer_413_arrives)
{
	char *body = repeat('x', 3 << 20);

	scene_env("STEADYCACHE_MAX_BODY_MB=1");
	scene_start();
	for (int i = 0; i < 10; i++)
		expect_status(
			http_put(scene.client, "/cache/ns/k", ((struct slice){body, 3 << 20})),
			413);
	free(body);
	scene_stop();
}

Test(limits, key)
{
	char *key = repeat('k', 3000), *json = NULL;

	scene_env("STEADYCACHE_MAX_KEY_KB=2");
	scene_start();
	cr_assert(asprintf(&json, "{\"cache_name\":\"ns\",\"key\":\"%s\"}", key) > 0);
	expect_status(http_post_json(scene.client, "/api/get", json), 413);
	expect_status(http_post_json(scene.client, "/api/exists", json), 413);
	free(json);
	expect_status(scene_get(key), 404); /* cut to 511 by scene_get: a legal key */
	cr_assert(asprintf(&json, "/cache/ns/%s", key) > 0);
	expect_status(http_get(scene.client, json), 414);
	json[10 + 2048] = '\0';
	expect_status(http_put(scene.client, json, SLICE("v")), 201);
	free(json);
	free(key);
	expect_service();
	scene_stop();
}

Test(limits, headers_and_url)
{
	char *text = repeat('h', 60000), *target = NULL, *header = NULL;

	scene_start();
	cr_assert(asprintf(&target, "/cache/ns/%s", text) > 0);
	cr_assert(asprintf(&header, "X-Long: %s", text) > 0);
	expect_status(http_get(scene.client, target), 414);
	expect_status(http_get(scene.client, "/healthz", header), 431);
	expect_service();
	scene_stop();

	scene_env("STEADYCACHE_MAX_HEADER_KB=128");
	scene_start();
	expect_status(http_put(scene.client, target, SLICE("v")), 201);
	expect_status(http_get(scene.client, "/healthz", header), 200);
	scene_stop();
	free(text);
	free(target);
	free(header);
}

Test(limits, batch)
{
	scene_env("STEADYCACHE_MAX_BATCH=3");
	scene_start();
	expect_status(http_post_json(scene.client, "/api/batch/get",
				     "{\"cache_name\":\"ns\",\"keys\":[\"a\",\"b\",\"c\"]}"),
		      200);
	expect_that(http_post_json(scene.client, "/api/batch/get",
				   "{\"cache_name\":\"ns\",\"keys\":[\"a\",\"b\",\"c\",\"d\"]}"),
		    answer_->status == 413 && strstr(answer_->body, "STEADYCACHE_MAX_BATCH"),
		    "expected 413 that names the option");
	scene_stop();
}

Test(limits, namespaces)
{
	scene_env("STEADYCACHE_MAX_NAMESPACES=3");
	scene_start();
	for (int i = 0; i < 3; i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "/cache/n%d/k", i);
		expect_status(http_put(scene.client, target, SLICE("v")), 201);
	}
	expect_that(http_put(scene.client, "/cache/n3/k", SLICE("v")),
		    answer_->status == 507 && strstr(answer_->body, "STEADYCACHE_MAX_NAMESPACES"),
		    "expected 507 that names the option");
	expect_status(http_put(scene.client, "/cache/n2/k", SLICE("w")), 204);
	expect_status(http_get(scene.client, "/cache/n3/k"), 404);

	/* In an import such lines fail, and the others are stored. */
	const struct http_answer *answer =
		http_post(scene.client, "/import",
			  SLICE("{\"namespace\":\"n3\",\"key\":\"k\",\"value\":\"v\"}\n"
				"{\"namespace\":\"n1\",\"key\":\"other\",\"value\":\"v\"}\n"));
	expect_that(answer,
		    answer_->status == 200 &&
			    strstr(answer_->body, "{\"imported\":1,\"failed\":1,") &&
			    strstr(answer_->body, "STEADYCACHE_MAX_NAMESPACES"),
		    "expected a report that names the option");
	expect_status(http_get(scene.client, "/cache/n1/other"), 200);
	scene_stop();
}

Test(limits, connections)
{
	struct raw_socket raw[8], late;
	int status = 0;

	scene_env("STEADYCACHE_MAX_CONNECTIONS=8");
	server_start(&scene.server); /* without the scene's client, which would count as a
				      * connection */
	for (int i = 0; i < 8; i++) {
		cr_assert(raw_open(&raw[i], scene.server.url));
		(void)raw_send_text(&raw[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		cr_assert_eq(raw_await_answer(&raw[i], 5000), 200, "connection %d", i);
	}
	for (int i = 0; i < 3; i++) {
		cr_assert(raw_open(&late, scene.server.url));
		(void)raw_send_text(&late, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
		cr_assert_eq(raw_await_answer(&late, 5000), 503, "connection 9: %s", late.received);
		cr_assert(strcasestr(late.received, "\r\nRetry-After:"), "%s", late.received);
		cr_assert(raw_await_close(&late, 5000),
			  "the connection above the limit stays open");
		raw_close(&late);
	}
	/* Those below the limit continue, and a released place can be reused. */
	(void)raw_send_text(&raw[3], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_assert_eq(raw_await_answer(&raw[3], 5000), 200);
	raw_close(&raw[0]);
	cr_assert(
		await_condition(({
					cr_assert(raw_open(&late, scene.server.url));
					(void)raw_send_text(
						&late,
						"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
					status = raw_await_answer(&late, 5000);
					raw_close(&late);
					status == 200;
				}),
				5000),
		"the place of a closed connection is not given to another");
	for (int i = 1; i < 8; i++)
		raw_close(&raw[i]);
	scene_stop();
}

/* Sends a byte every 100 ms: never idle, never done. */
static void expect_cut_off(const char *request)
{
	struct raw_socket raw;
	long long start_ms = steady_now_ms();
	const char *at = request;

	cr_assert(raw_open(&raw, scene.server.url));
	while (!raw.closed && steady_now_ms() - start_ms < 15000) {
		if (*at && !raw_send(&raw, (struct slice){at++, 1}))
			break;
		if (raw_await_close(&raw, 100))
			break;
	}
	cr_assert_lt(steady_now_ms() - start_ms, 10000, "a slow sender is not cut off: %.40s",
		     request);
	cr_assert_gt(steady_now_ms() - start_ms, 900, "cut off too soon: %.40s", request);
	cr_assert(raw.received[0] == '\0' || strstr(raw.received, " 408 "), "%s", raw.received);
	raw_close(&raw);
}

/* As many requests at once as the HTTP library takes events in one call, and then silence: without
 * server/http/interpose.c it would wait for the next event before it looks at them. */
Test(limits, requests_that_come_at_once_are_answered_at_once)
{
	static const size_t counts[] = {127, 128, 129, 256, 384};
	enum { MOST = 384 };
	static struct raw_socket sockets[MOST];

	scene_flag("--threads=1");
	scene_start();
	for (size_t i = 0; i < MOST; i++) {
		cr_assert(raw_open(&sockets[i], scene.server.url));
		cr_assert(raw_send_text(&sockets[i],
					"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
		cr_assert_eq(raw_await_answer(&sockets[i], 5000), 200);
	}
	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		cr_assert_eq(kill(scene.server.pid, SIGSTOP), 0);
		for (size_t i = 0; i < counts[n]; i++)
			cr_assert(raw_send_text(
				&sockets[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
		cr_assert_eq(kill(scene.server.pid, SIGCONT), 0);
		for (size_t i = 0; i < counts[n]; i++)
			cr_assert_eq(raw_await_answer(&sockets[i], 5000), 200, "%zu of %zu", i,
				     counts[n]);
	}
	for (size_t i = 0; i < MOST; i++)
		raw_close(&sockets[i]);
	scene_stop();
}

Test(limits, slow_senders_are_cut_off)
{
	char *slow = repeat('s', 300), *request = NULL;

	scene_env("STEADYCACHE_REQUEST_TIMEOUT=1");
	scene_env("STEADYCACHE_IDLE_TIMEOUT=2");
	scene_start();
	/* Headers may take both times together: until they are complete, a new request cannot be
	 * told from an idle connection. */
	cr_assert(asprintf(&request, "GET /cache/ns/%s HTTP/1.1\r\n\r\n", slow) > 0);
	expect_cut_off(request);
	free(request);
	cr_assert(asprintf(&request,
			   "PUT /cache/ns/k "
			   "HTTP/1.1\r\nHost:localhost\r\nContent-Length:300\r\n\r\n%s",
			   slow) > 0);
	{
		/* The headers at once, the body slowly. */
		struct raw_socket raw;
		long long start_ms = steady_now_ms();
		size_t sent = strlen(request) - 300;

		cr_assert(raw_open(&raw, scene.server.url));
		(void)raw_send(&raw, (struct slice){request, sent});
		while (!raw.closed && steady_now_ms() - start_ms < 15000)
			if (!raw_send(&raw, (struct slice){request + sent++, 1}) ||
			    raw_await_close(&raw, 100))
				break;
		cr_assert_lt(steady_now_ms() - start_ms, 10000, "a slow body is not cut off");
		raw_close(&raw);
	}
	free(request);
	free(slow);
	expect_status(scene_get("k"), 404);
	expect_service();
	scene_stop();
}

Test(limits, idle_connections_are_closed)
{
	struct raw_socket used, fresh;
	long long start_ms;

	scene_env("STEADYCACHE_IDLE_TIMEOUT=1");
	scene_start();
	cr_assert(raw_open(&used, scene.server.url) && raw_open(&fresh, scene.server.url));
	(void)raw_send_text(&used, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_assert_eq(raw_await_answer(&used, 5000), 200);
	start_ms = steady_now_ms();
	cr_assert(raw_await_close(&used, 10000), "an idle connection stays open");
	cr_assert_gt(steady_now_ms() - start_ms, 500, "closed too soon");
	cr_assert(raw_await_close(&fresh, 10000), "a silent connection stays open");
	raw_close(&used);
	raw_close(&fresh);
	expect_service();
	scene_stop();
}

/* A client's end of sending may come together with the last bytes, and is then easily missed. */
Test(limits, a_request_that_will_never_be_complete_is_closed)
{
	static const char *const cut[] = {"GET /cache/ns/k HTTP/1.1\r\nHos",
					  "PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n"
					  "Content-Length: 5\r\n\r\nhel"};
	struct raw_socket raw[40];

	scene_start();
	for (size_t i = 0; i < 40; i++) {
		cr_assert(raw_open(&raw[i], scene.server.url));
		(void)raw_send_text(&raw[i], "%s", cut[i % 2]);
		raw_shutdown(&raw[i]);
	}
	for (size_t i = 0; i < 40; i++) {
		cr_assert(raw_await_close(&raw[i], 10000), "connection %zu stays open", i);
		raw_close(&raw[i]);
	}
	expect_service();
	scene_stop();
}

/* The limit on the memory of the whole memory backend. */
Test(limits, memory)
{
	char *value = repeat('m', 20000);
	size_t entries, bytes;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_MEMORY_MAX_MB=2");
	scene_start();
	for (int i = 0; i < 300; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%d", i);
		expect_status(scene_put(key, value), 201);
	}
	scene_count(scene.client, &entries, &bytes);
	cr_assert_leq(bytes, 2 << 20, "%zu bytes are stored", bytes);
	cr_assert_gt(entries, 20, "%zu entries are left", entries);
	expect_status(scene_get("k299"), 200);
	scene_expect_true_totals(scene.client);
	free(value);
	scene_stop();
}

Test(limits, a_value_as_large_as_the_default_body)
{
	size_t len = 32 << 20;
	char *value = repeat('v', len);

	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/k", ((struct slice){value, len})), 201);
	cr_assert(slice_equal(http_body(scene_get("k")), (struct slice){value, len}));
	free(value);
	scene_stop();
}

static void try_answers(const char *backend)
{
	char *value = repeat('x', 100000);
	const char *keys = "{\"keys\":[\"0\",\"1\",\"2\",\"none\"]}";

	scene_env(backend);
	scene_env("STEADYCACHE_MAX_BODY_MB=0.1");
	scene_start();
	for (int i = 0; i < 3; i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "/cache/ns/%d", i);
		expect_status(http_put(scene.client, target, ((struct slice){value, 100000})), 201);
	}
	expect_status(http_post_json(scene.client, "/batch/ns/get", "{\"keys\":[\"0\",\"1\"]}"),
		      200);
	const struct http_answer *answer = http_post_json(scene.client, "/batch/ns/get", keys);
	expect_status(answer, 413);
	expect_that(answer, strstr(answer->body, "fewer keys"), "expected what to change");
	expect_status(http_post_json(scene.client, "/batch/ns/exists", keys), 200);
	free(value);
	scene_stop();
}

/* A batch gets what two bodies could have set. */
Test(limits, answers_of_batches_memory)
{
	try_answers("STEADYCACHE_BACKEND=memory");
}

Test(limits, answers_of_batches_sqlite)
{
	try_answers("STEADYCACHE_BACKEND=sqlite");
}

/* Keys of 300 KB: a page of the listing has about 1 MB of them, and its cursor works. */
Test(limits, pages_of_long_keys)
{
	enum { KEYS = 12, KEY_BYTES = 300000 };
	char *key = repeat('k', KEY_BYTES);
	json_t *keys = json_object();
	char target[8192] = "/cache/ns";
	int met = 0;

	scene_start();
	for (int i = 0; i < KEYS; i++) {
		key[0] = (char)('a' + i);
		cr_assert_eq(json_object_set_new(keys, key, json_string("v")), 0);
	}
	expect_status(post_batch_set(keys), 200);
	for (bool complete = false; !complete;) {
		const struct http_answer *answer = http_get(scene.client, target);
		json_auto_t *page = http_json(answer);
		const json_t *list = json_object_get(page, "keys");

		expect_status(answer, 200);
		cr_assert_leq(answer->len, 1700000, "%zu bytes", answer->len);
		cr_assert_gt(json_array_size(list), 0);
		for (size_t i = 0; i < json_array_size(list); i++, met++)
			cr_assert_eq(
				*json_string_value(json_object_get(json_array_get(list, i), "key")),
				'a' + met);
		complete = json_is_true(json_object_get(page, "complete"));
		if (!complete)
			(void)snprintf(target, sizeof(target), "/cache/ns?cursor=%s",
				       json_string_value(json_object_get(page, "cursor")));
	}
	cr_expect_eq(met, KEYS);
	json_decref(keys);
	free(key);
	scene_stop();
}
