/* Watches on a real server: how many there may be, how they end, and readers that do not read.
 * STEADYCACHE_TEST_WATCHERS says how many there are at once (200). */
#include "tests/process/client_run.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/token_line.h"

PROCESS_SUITE(watch);

#define WAIT_MS      20000
#define WATCHERS_MAX 5000

static void watch_as(struct raw_socket *raw, const char *ns, const char *token)
{
	cr_assert(raw_open(raw, scene.server.url));
	cr_assert(raw_send_text(raw,
				"GET /watch/%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
				"Bearer %s\r\n\r\n",
				ns, token));
}

static void watch(struct raw_socket *raw, const char *ns)
{
	watch_as(raw, ns, "none");
	cr_assert(raw_await(raw, "event: ready", WAIT_MS), "got: %s", raw->received);
}

static void expect_end(struct raw_socket *raw)
{
	cr_expect(raw_await(raw, "\r\n0\r\n\r\n", WAIT_MS), "it goes on, or was cut off: %s",
		  raw->received);
}

Test(watch, a_stop_ends_them_at_once)
{
	static struct raw_socket raw[50];

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	for (size_t i = 0; i < 50; i++)
		watch(&raw[i], "ns");
	long long began_ms = steady_now_ms();
	scene_stop();
	cr_expect_lt(steady_now_ms() - began_ms, 1500);
	for (size_t i = 0; i < 50; i++) {
		expect_end(&raw[i]);
		raw_close(&raw[i]);
	}
}

/* ---- Tokens ---- */

static char token_path[TEMP_PATH_SIZE];

/* Lines of the tokens "one" and "two", with these rights. */
static void write_tokens(const char *one, const char *two)
{
	const char *const pairs[][2] = {{"one", one}, {"two", two}};
	FILE *file = fopen(temp_dir_path(&scene.dir, "tokens", token_path), "we");
	uint8_t digest[TOKEN_DIGEST_BYTES];

	cr_assert_not_null(file);
	for (size_t i = 0; i < 2; i++) {
		token_digest(slice_of(pairs[i][0]), digest);
		(void)fprintf(file, "name=%s sha256=", pairs[i][0]);
		for (size_t k = 0; k < sizeof(digest); k++)
			(void)fprintf(file, "%02x", digest[k]);
		(void)fprintf(file, " %s\n", pairs[i][1]);
	}
	(void)fclose(file);
}

Test(watch, it_wants_the_right_to_read_and_ends_with_the_token)
{
	struct raw_socket raw, other;

	write_tokens("rights=read namespaces=a", "rights=write namespaces=*");
	scene_env_printf("STEADYCACHE_TOKEN_FILE=%s", token_path);
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	watch_as(&raw, "b", "one");
	cr_expect_eq(raw_await_answer(&raw, WAIT_MS), 403);
	raw_close(&raw);
	watch_as(&raw, "a", "two");
	cr_expect_eq(raw_await_answer(&raw, WAIT_MS), 403);
	raw_close(&raw);
	watch_as(&raw, "a", "three");
	cr_expect_eq(raw_await_answer(&raw, WAIT_MS), 401);
	raw_close(&raw);

	watch_as(&raw, "a", "one");
	cr_assert(raw_await(&raw, "event: ready", WAIT_MS), "got: %s", raw.received);
	write_tokens("rights=write namespaces=a", "rights=write namespaces=*");
	cr_assert_eq(kill(scene.server.pid, SIGHUP), 0);
	cr_assert(server_await_log(&scene.server, "the tokens were read again", 10000));
	expect_status(
		http_put(scene.client, "/cache/a/secret", SLICE("v"), "Authorization: Bearer two"),
		201);
	expect_end(&raw);
	cr_expect_null(strstr(raw.received, "secret"), "got: %s", raw.received);
	watch_as(&other, "a", "one");
	cr_expect_eq(raw_await_answer(&other, WAIT_MS), 403);
	raw_close(&other);
	raw_close(&raw);
	scene_stop();
}

/* ---- Many ---- */

Test(watch, half_of_the_connections_may)
{
	struct raw_socket raw[4], more = {0};

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_env("STEADYCACHE_MAX_CONNECTIONS=8");
	scene_start();
	for (size_t i = 0; i < 4; i++)
		watch(&raw[i], "ns");
	watch_as(&more, "ns", "none");
	cr_expect_eq(raw_await_answer(&more, WAIT_MS), 503);
	cr_expect(strstr(more.received, "\r\nRetry-After: "), "got: %s", more.received);
	raw_close(&more);
	raw_close(&raw[0]);
	/* What happens shows that the client is gone. */
	cr_assert(await_condition(
		(scene_put("k", "v"), watch_as(&more, "ns", "none"),
		 raw_await(&more, "\r\n\r\n", WAIT_MS) && strstr(more.received, " 200 ")) ||
			(raw_close(&more), false),
		WAIT_MS));
	raw_close(&more);
	for (size_t i = 1; i < 4; i++)
		raw_close(&raw[i]);
	scene_stop();
}

Test(watch, many_take_little_memory_and_no_threads)
{
	static struct raw_socket raw[WATCHERS_MAX];
	const char *wanted = getenv("STEADYCACHE_TEST_WATCHERS");
	size_t count = wanted ? (size_t)atoi(wanted) : 200;
	char path[64], key[32];
	long threads = 0;

	cr_assert(count > 0 && count <= WATCHERS_MAX);
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	for (size_t i = 0; i < count; i++)
		watch(&raw[i], "ns");
	long before_kib = server_anonymous_kib(&scene.server);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)scene.server.pid);
	char *status = file_read(path, NULL);
	cr_assert_eq(sscanf(strstr(status, "Threads:"), "Threads: %ld", &threads), 1);
	free(status);
	cr_expect_lt(threads, 40);
	/* Readers that read nothing meanwhile; all of them see the last one. */
	for (unsigned i = 0; i < 2000; i++) {
		(void)snprintf(key, sizeof(key), "key-%u", i);
		expect_status(scene_put(key, "v"), 201);
	}
	for (size_t i = 0; i < count; i++) {
		cr_expect(raw_await(&raw[i], "\"key-1999\"", WAIT_MS));
		raw_close(&raw[i]);
	}
	long after_kib = server_anonymous_kib(&scene.server);
#ifndef __SANITIZE_ADDRESS__ /* which keeps freed memory for a while */
	cr_expect_lt(after_kib - before_kib, 4096 + (long)count * 48, "%ld KiB, before %ld",
		     after_kib, before_kib);
#endif
	(void)fprintf(stderr, "%zu watchers: %ld KiB before the events, %ld after\n", count,
		      before_kib, after_kib);
	scene_stop();
}

/* {"items":[...]} of keys as long as they are allowed to be in a list of this length; to be freed.
 */
static char *long_items(unsigned count, int key_bytes)
{
	size_t size = (size_t)count * ((size_t)key_bytes + 32) + 32, len = 0;
	char *json = malloc(size);

	cr_assert_not_null(json);
	len += (size_t)snprintf(json, size, "{\"items\":[");
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(json + len, size - len,
					"%s{\"key\":\"%0*u\",\"value\":\"v\"}", i > 0 ? "," : "",
					key_bytes, i);
	(void)snprintf(json + len, size - len, "]}");
	return json;
}

/* A window that is closed: what it cannot have is dropped, and it is told so. More comes than the
 * system has room for. */
Test(watch, a_reader_that_stalls_is_reset)
{
	char *items = long_items(200, 4000);
	struct raw_socket stalled;
	int small = 4096, large = 1 << 20;

	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	cr_assert(raw_open(&stalled, scene.server.url));
	cr_assert_eq(setsockopt(stalled.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	cr_assert(raw_send_text(&stalled, "GET /watch/ns HTTP/1.1\r\nHost: localhost\r\n\r\n"));
	cr_assert(raw_await(&stalled, "event: ready", WAIT_MS));
	expect_status(http_post_json(scene.client, "/batch/ns/set", items), 200);
	long before_kib = server_anonymous_kib(&scene.server);
	for (unsigned i = 0; i < 20; i++)
		expect_status(http_post_json(scene.client, "/batch/ns/set", items), 200);
	long after_kib = server_anonymous_kib(&scene.server);
#ifdef __SANITIZE_ADDRESS__ /* which keeps freed memory for a while */
	after_kib = before_kib;
#endif
	cr_expect_lt(after_kib - before_kib, 8192, "%ld KiB, before %ld", after_kib, before_kib);
	cr_assert_eq(setsockopt(stalled.fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
	/* Much comes before it: what was looked at is not looked at again. */
	cr_assert(
		await_condition(raw_await_behind(&stalled, stalled.len > 64 ? stalled.len - 64 : 0,
						 "event: reset", 20),
				WAIT_MS));
	/* A later reset may stand for it, too. */
	size_t at = stalled.len;
	cr_assert(await_condition((scene_put("behind", "v"),
				   raw_await_behind(&stalled, at, "{\"key\":\"behind\"}", 200)),
				  WAIT_MS));
	raw_close(&stalled);
	const struct http_answer *metrics = http_get(scene.client, "/metrics");
	cr_expect_null(strstr(metrics->body, "\nsteadycache_watch_resets_total 0\n"));
	free(items);
	scene_stop();
}

/* ---- The client's command ---- */

Test(watch, the_command_prints_a_line_for_each_event)
{
	scene_env("STEADYCACHE_BACKEND=memory");
	scene_start();
	expect_run(0, "timeout 60 \"$S\" watch ns --prefix a >seen & W=$!; "
		      "until grep -q ready seen; do sleep 0.01; done; "
		      "\"$S\" set ns ab 1 && \"$S\" set ns b 1 && \"$S\" delete ns ab && "
		      "\"$S\" delete ns --all --yes; "
		      "until grep -q clear seen; do sleep 0.01; done; kill $W; ! wait $W");
	cr_expect(holds("seen", "ready\nset ab\ndelete ab\nclear \n"));
	expect_run(0, "timeout 60 \"$S\" watch ns --json >json & W=$!; "
		      "until grep -q ready json; do sleep 0.01; done; \"$S\" set ns ab 1; "
		      "until grep -q set json; do sleep 0.01; done; kill $W; ! wait $W");
	cr_expect(holds("json", "{\"event\":\"set\",\"key\":\"ab\"}\n"));
	expect_run(3, "\"$S\" watch 'a b'");
	scene_stop();
}
