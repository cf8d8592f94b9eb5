/* Values that come and go in pieces: PUT and GET of bodies (base/body.h), over a backend whose
 * bodies are read from files, or by readers that make their callers wait, and fail
 * (tests/drivers/bodies.h). The server is steadycache_hash, by STEADYCACHE_TEST_BINARY. */
#include "tests/process/scene.h"
#include "tests/support/sanitized.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MB      ((size_t)1 << 20)
#define LEN     (3 * MB + 12345)
#define LONG_MB 300

static char *bytes; /* LEN of them */

static void open_scene(void)
{
	scene_open();
	scene_env("STEADYCACHE_BACKEND=bodies");
	scene_env("STEADYCACHE_MAX_BODY_MB=2");
	scene_env("STEADYCACHE_DEFAULT_MAX_SIZE_MB=8000");
	bytes = malloc(LEN);
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (char)(i * 2654435761U >> 13);
}

static void close_scene(void)
{
	free(bytes);
	scene_close();
}

TestSuite(bodies, .init = open_scene, .fini = close_scene, .timeout = 120);

static struct slice part(size_t offset, size_t len)
{
	return (struct slice){.data = bytes + offset, .len = len};
}

/* Puts `key` in chunks of odd sizes; returns the status. */
static int put_chunked(const char *key, const char *type, size_t len)
{
	struct raw_socket socket;

	cr_assert(raw_open(&socket, scene.server.url));
	cr_assert(raw_send_text(&socket,
				"PUT /cache/ns/%s HTTP/1.1\r\nHost: localhost\r\n"
				"Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
				key, type));
	for (size_t at = 0; at < len;) {
		size_t size = len - at < 77777 ? len - at : 77777;

		cr_assert(raw_send_text(&socket, "%zx\r\n", size));
		cr_assert(raw_send(&socket, part(at, size)));
		cr_assert(raw_send_text(&socket, "\r\n"));
		at += size;
	}
	cr_assert(raw_send_text(&socket, "0\r\n\r\n"));
	int status = raw_await_answer(&socket, 30000);
	raw_close(&socket);
	return status;
}

static void expect_range(const char *target, const char *range, size_t offset, size_t len)
{
	const struct http_answer *answer = http_get(scene.client, target, range);
	char expected[96];

	expect_status(answer, 206);
	expect_body(answer, part(offset, len));
	(void)snprintf(expected, sizeof(expected), "bytes %zu-%zu/%zu", offset, offset + len - 1,
		       (size_t)LEN);
	expect_header(answer, "Content-Range", expected);
}

static void expect_all_of(const char *target)
{
	const struct http_answer *answer = http_get(scene.client, target);
	char length[32], etag[64], line[128];

	(void)snprintf(length, sizeof(length), "%zu", (size_t)LEN);
	expect_status(answer, 200);
	expect_body(answer, part(0, LEN));
	expect_header(answer, "Accept-Ranges", "bytes");
	(void)snprintf(etag, sizeof(etag), "%s", http_header(answer, "ETag"));
	answer = http_head(scene.client, target);
	expect_status(answer, 200);
	expect_header(answer, "Content-Length", length);
	expect_header(answer, "ETag", etag);
	(void)snprintf(line, sizeof(line), "If-None-Match: %s", etag);
	expect_status(http_get(scene.client, target, line), 304);
	expect_range(target, "Range: bytes=0-0", 0, 1);
	expect_range(target, "Range: bytes=1500000-", 1500000, LEN - 1500000);
	expect_range(target, "Range: bytes=-70000", LEN - 70000, 70000);
	(void)snprintf(line, sizeof(line), "If-Range: %s", etag);
	answer = http_get(scene.client, target, "Range: bytes=5-2000004", line);
	expect_status(answer, 206);
	expect_body(answer, part(5, 2000000));
	expect_status(http_get(scene.client, target, "Range: bytes=5-9", "If-Range: \"other\""),
		      200);
	expect_range(target, "Range: bytes=9-9223372036854775807", 9, LEN - 9);
	expect_status(http_get(scene.client, target, "Range: bytes=9223372036854775807-"), 416);
}

Test(bodies, come_and_go_whole_and_in_parts)
{
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/file", part(0, LEN)), 201);
	expect_all_of("/cache/ns/file");
	expect_status(http_put(scene.client, "/cache/ns/reader", part(0, LEN),
			       "Content-Type: x-test/reader"),
		      201);
	expect_all_of("/cache/ns/reader");
	expect_status(http_put(scene.client, "/cache/ns/file", part(9, 5)), 204);
	expect_body(http_get(scene.client, "/cache/ns/file"), part(9, 5));
	scene_stop();
}

Test(bodies, come_in_chunks)
{
	/* Around the length from which they are not received in memory. */
	static const size_t lens[] = {MB - 1, MB, MB + 1, 2 * MB + 1, LEN};

	scene_start();
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		cr_assert_eq(put_chunked("chunks", "x-test/reader", lens[i]), i == 0 ? 201 : 204);
		expect_body(http_get(scene.client, "/cache/ns/chunks"), part(0, lens[i]));
	}
	scene_stop();
}

Test(bodies, that_cannot_be_read_are_no_answers)
{
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/first", part(0, LEN),
			       "Content-Type: x-test/fails-first"),
		      201);
	expect_status(http_put(scene.client, "/cache/ns/later", part(0, LEN),
			       "Content-Type: x-test/fails-later"),
		      201);
	const struct http_answer *answer = http_get(scene.client, "/cache/ns/first");
	expect_status(answer, 503);
	expect_header(answer, "Retry-After", "1");
	expect_header(answer, "ETag", NULL);
	expect_that(answer, strstr(answer->body, "the test's store has failed"),
		    "expected the sentence of the store");
	expect_status(http_head(scene.client, "/cache/ns/first"), 200);
	/* The client's library notices that bytes are missing. */
	expect_status(http_get(scene.client, "/cache/ns/later"), 0);
	cr_assert(server_await_log(&scene.server, "an answer was cut off", 10000));
	expect_status(http_head(scene.client, "/cache/ns/later"), 200);
	scene_stop();
}

/* Sends the head of a PUT of `len` bytes, and the first `sent` bytes of it. */
static void begin_put(struct raw_socket *socket, const char *key, const char *header,
		      unsigned long long len, size_t sent)
{
	cr_assert(raw_open(socket, scene.server.url));
	cr_assert(raw_send_text(socket,
				"PUT /cache/ns/%s HTTP/1.1\r\nHost: localhost\r\n%s"
				"Content-Length: %llu\r\n\r\n",
				key, header, len));
	if (sent > 0)
		(void)raw_send(socket, part(0, sent)); /* it may be refused meanwhile */
}

Test(bodies, are_refused_before_they_have_come)
{
	struct raw_socket socket;

	scene_start();
	/* More than the backend takes. */
	begin_put(&socket, "huge", "", 6000000000ULL, 0);
	cr_expect_eq(raw_await_answer(&socket, 10000), 413);
	cr_expect(strstr(socket.received, "STEADYCACHE_LARGE_VALUE_MAX_MB"));
	cr_expect(raw_await_close(&socket, 10000));
	raw_close(&socket);
	/* More than the namespace may hold. */
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"max_size_mb\":50}"), 204);
	begin_put(&socket, "huge", "", 4000000000ULL, MB);
	cr_expect_eq(raw_await_answer(&socket, 10000), 413);
	cr_expect(strstr(socket.received, "the limit of its namespace"));
	raw_close(&socket);
	expect_status(http_put_json(scene.client, "/cache/ns", "{\"max_size_mb\":8000}"), 204);
	/* A condition that fails; nearly all of it is never sent. */
	expect_status(scene_put("k", "old"), 201);
	begin_put(&socket, "k", "If-None-Match: *\r\n", 4000000000ULL, LEN);
	cr_expect_eq(raw_await_answer(&socket, 30000), 412);
	raw_close(&socket);
	begin_put(&socket, "new", "If-Match: *\r\n", 4000000000ULL, LEN);
	cr_expect_eq(raw_await_answer(&socket, 30000), 412);
	raw_close(&socket);
	expect_body(http_get(scene.client, "/cache/ns/k"), SLICE("old"));
	expect_status(http_get(scene.client, "/cache/ns/new"), 404);
	/* One that holds. */
	expect_status(http_put(scene.client, "/cache/ns/k", part(0, LEN), "If-Match: *"), 204);
	expect_status(http_put(scene.client, "/cache/ns/new", part(0, LEN), "If-None-Match: *"),
		      201);
	expect_body(http_get(scene.client, "/cache/ns/k"), part(0, LEN));
	scene_stop();
}

Test(bodies, that_are_cut_off_leave_nothing)
{
	struct raw_socket socket;

	scene_start();
	expect_status(scene_put("k", "old"), 201);
	for (int i = 0; i < 4; i++) {
		begin_put(&socket, i < 2 ? "k" : "new", "", LEN, i % 2 ? LEN - 1 : MB / 2);
		raw_close(&socket);
	}
	expect_body(http_get(scene.client, "/cache/ns/k"), SLICE("old"));
	expect_status(http_get(scene.client, "/cache/ns/new"), 404);
	/* Its sender says no more, and a stop does not wait for it; nor for a reader that hangs. */
	begin_put(&socket, "new", "", LEN, MB);
	nap_ms(50);
	long long began_ms = steady_now_ms();
	scene_stop();
	cr_expect_lt(steady_now_ms() - began_ms, 8000);
	raw_close(&socket);
}

Test(bodies, may_come_slowly_but_must_come)
{
	struct raw_socket slow, silent;

	scene_env("STEADYCACHE_REQUEST_TIMEOUT=1");
	scene_start();
	begin_put(&silent, "silent", "", LEN, MB);
	begin_put(&slow, "slow", "", LEN, 0);
	for (size_t at = 0; at < LEN; at += LEN / 20) {
		size_t len = LEN - at < LEN / 20 ? LEN - at : LEN / 20;

		cr_assert(raw_send(&slow, part(at, len)));
		nap_ms(100);
	}
	cr_expect_eq(raw_await_answer(&slow, 10000), 201);
	cr_expect(raw_await_close(&silent, 10000));
	expect_body(http_get(scene.client, "/cache/ns/slow"), part(0, LEN));
	expect_status(http_get(scene.client, "/cache/ns/silent"), 404);
	raw_close(&slow);
	raw_close(&silent);
	scene_stop();
}

static long most_memory_kib(void)
{
	char path[64], line[256];
	long kib = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)scene.server.pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	if (file)
		(void)fclose(file);
	return kib;
}

Test(bodies, take_little_memory)
{
	struct raw_socket socket;
	uint64_t got = 0;

	scene_start();
	begin_put(&socket, "long", "Content-Type: x-test/reader\r\n", LONG_MB * MB, 0);
	for (int i = 0; i < LONG_MB; i++)
		cr_assert(raw_send(&socket, part((size_t)i, MB)));
	cr_assert_eq(raw_await_answer(&socket, 60000), 201);
	raw_close(&socket);
	cr_assert(raw_open(&socket, scene.server.url));
	cr_assert(raw_send_text(&socket, "GET /cache/ns/long HTTP/1.1\r\nHost: localhost\r\n"
					 "Connection: close\r\n\r\n"));
	char *room = malloc(MB);
	ssize_t len;
	while ((len = read(socket.fd, room, MB)) > 0)
		got += (uint64_t)len;
	free(room);
	raw_close(&socket);
	cr_expect_gt(got, LONG_MB * MB);
	/* Sanitizers keep freed memory for a while. */
	cr_expect(IS_SANITIZED || most_memory_kib() < 64L * 1024);
	scene_stop();
}

Test(bodies, are_exported_and_imported)
{
	scene_start();
	expect_status(http_put(scene.client, "/cache/ns/file", part(0, LEN), "Content-Type: x/y"),
		      201);
	expect_status(http_put(scene.client, "/cache/ns/reader", part(1, LEN - 1),
			       "Content-Type: x-test/reader"),
		      201);
	expect_status(scene_put("small", "v"), 201);
	const struct http_answer *export = http_get(scene.client, "/export");
	expect_status(export, 200);
	expect_that(export, strstr(export->body, "{\"complete\":true,\"entries\":3}"),
		    "expected it complete");
	expect_status(http_delete(scene.client, "/cache/ns?all"), 204);
	const struct http_answer *import = http_post(scene.client, "/import", http_body(export));
	expect_status(import, 200);
	expect_that(import,
		    strstr(import->body, "\"imported\":3,\"failed\":0") &&
			    strstr(import->body, "\"complete\":true"),
		    "expected all of it");
	const struct http_answer *answer = http_get(scene.client, "/cache/ns/file");
	expect_body(answer, part(0, LEN));
	expect_header(answer, "Content-Type", "x/y");
	expect_body(http_get(scene.client, "/cache/ns/reader"), part(1, LEN - 1));
	expect_body(http_get(scene.client, "/cache/ns/small"), SLICE("v"));
	expect_status(http_put(scene.client, "/cache/ns/fails", part(0, LEN),
			       "Content-Type: x-test/fails-later"),
		      201);
	export = http_get(scene.client, "/export");
	expect_that(export,
		    strstr(export->body, "{\"complete\":false,\"error\":\"the test's store"),
		    "expected it incomplete");
	scene_stop();
}

/* A line that is broken, or is not as an export writes it, fails alone. */
Test(bodies, are_imported_only_whole)
{
	static const struct {
		const char *head, *tail, *error;
	} lines[] = {
		{"{\"namespace\":\"ns\",\"key\":\"a\",\"value_base64\":\"", "", "in the middle"},
		{"{\"namespace\":\"ns\",\"key\":\"b\",\"value_base64\":\"", "*\"}", "not base64"},
		{"{\"namespace\":\"ns\",\"key\":\"c\",\"value_base64\":\"", "A\"}", "not base64"},
		{"{\"namespace\":\"ns\",\"key\":\"d\",\"value_base64\":\"", "\",\"x\":1}",
		 "the last member"},
	};
	size_t len = 3 * MB;
	char *body = malloc(5 * len + 10000);
	size_t at = 0;

	for (size_t i = 0; i < 4; i++) {
		at += (size_t)sprintf(body + at, "%s", lines[i].head);
		memset(body + at, 'A', len);
		at += len;
		at += (size_t)sprintf(body + at, "%s\n", lines[i].tail);
	}
	/* Blanks without end would have to be held. */
	at += (size_t)sprintf(body + at, "%s", lines[0].head);
	memset(body + at, 'A', len);
	at += len;
	at += (size_t)sprintf(body + at, "\"%5000s\n", "}");
	at += (size_t)sprintf(body + at, "{\"namespace\":\"ns\",\"key\":\"e\",\"value\":\"v\"}\n");
	scene_start();
	const struct http_answer *answer =
		http_post(scene.client, "/import", ((struct slice){.data = body, .len = at}));
	free(body);
	expect_status(answer, 200);
	expect_that(answer, strstr(answer->body, "\"imported\":1,\"failed\":5"),
		    "expected five to fail");
	for (size_t i = 0; i < 4; i++)
		expect_that(answer, strstr(answer->body, lines[i].error), "expected \"%s\"",
			    lines[i].error);
	expect_body(http_get(scene.client, "/cache/ns/e"), SLICE("v"));
	expect_status(http_get(scene.client, "/cache/ns/a"), 404);
	scene_stop();
}
