/* HTTPS: certificates that the test makes, clients with and without one, and files that are
 * reloaded. */
#include "base/buffer.h"
#include "base/clock.h"
#include "tests/process/scene.h"

#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Certificates ---- */

static const char *in_dir(const char *name)
{
	static char paths[16][TEMP_PATH_SIZE];
	static size_t next;

	return temp_dir_path(&scene.dir, name, paths[next++ % 16]);
}

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char command[4096];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	cr_assert_eq(system(command), 0, "%s", command);
}

/* Makes an authority: NAME.pem and NAME.key in the scene's folder. */
static void make_authority(const char *name)
{
	run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
	    "-subj '/CN=%s' -keyout '%s/%s.key' -out '%s/%s.pem' 2>/dev/null",
	    name, scene.dir.path, name, scene.dir.path, name);
}

/* Makes a server's or client's certificate (`use`: serverAuth or clientAuth) in the same way. */
static void make_certificate(const char *name, const char *authority, const char *use)
{
	const char *dir = scene.dir.path;

	run("cd '%s' && printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=%s\\n' >ext && "
	    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=%s' "
	    "-keyout %s.key -out request 2>/dev/null && openssl x509 -req -in request -CA %s.pem "
	    "-CAkey %s.key -CAcreateserial -days 2 -extfile ext -out %s.pem 2>/dev/null",
	    dir, use, name, name, authority, authority, name);
}

static void open_tls_scene(void)
{
	scene_open();
	if (system("command -v openssl >/dev/null") != 0)
		cr_skip("there is no openssl");
	make_authority("ca");
	make_certificate("server", "ca", "serverAuth");
	scene_env_printf("STEADYCACHE_TLS_CERT=%s", in_dir("server.pem"));
	scene_env_printf("STEADYCACHE_TLS_KEY=%s", in_dir("server.key"));
	scene_env("STEADYCACHE_BACKEND=memory");
}

TestSuite(tls, .init = open_tls_scene, .fini = scene_close, .timeout = 180);

/* ---- A client ---- */

struct visit {
	CURL *curl;
	struct buffer body; /* followed by a NUL */
	char url[200];
};

static size_t take(char *data, size_t size, size_t count, void *user)
{
	struct visit *visit = user;

	buffer_append(&visit->body, (struct slice){.data = data, .len = size * count});
	return visit->body.failed ? 0 : size * count;
}

/* Opens a client that trusts NAME.pem; `version` is the only TLS version that it speaks (0:
 * any). */
static void visit_open(struct visit *visit, const char *trusted, long version)
{
	char path[TEMP_PATH_SIZE];

	*visit = (struct visit){.curl = curl_easy_init()};
	(void)curl_easy_setopt(visit->curl, CURLOPT_CAINFO,
			       temp_dir_path(&scene.dir, trusted, path));
	(void)curl_easy_setopt(visit->curl, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(visit->curl, CURLOPT_WRITEDATA, visit);
	(void)curl_easy_setopt(visit->curl, CURLOPT_TIMEOUT_MS, 20000L);
	(void)curl_easy_setopt(visit->curl, CURLOPT_NOSIGNAL, 1L);
	if (version)
		(void)curl_easy_setopt(visit->curl, CURLOPT_SSLVERSION, version | version << 16);
}

static void visit_close(struct visit *visit)
{
	curl_easy_cleanup(visit->curl);
	buffer_deinit(&visit->body);
}

/* Sends a request for a path; returns the status, or the negative code of libcurl. `body` NULL:
 * GET; else PUT. */
static long visit_ask(struct visit *visit, const char *path, struct slice body)
{
	long status = 0;

	buffer_deinit(&visit->body);
	(void)snprintf(visit->url, sizeof(visit->url), "https%s%s", strchr(scene.server.url, ':'),
		       path);
	(void)curl_easy_setopt(visit->curl, CURLOPT_URL, visit->url);
	(void)curl_easy_setopt(visit->curl, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(visit->curl, CURLOPT_CUSTOMREQUEST, body.data ? "PUT" : NULL);
	if (body.data) {
		(void)curl_easy_setopt(visit->curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
		(void)curl_easy_setopt(visit->curl, CURLOPT_POSTFIELDS, body.data);
	}
	CURLcode code = curl_easy_perform(visit->curl);
	buffer_append_char(&visit->body, '\0');
	if (visit->body.failed)
		abort();
	visit->body.len--;
	if (code != CURLE_OK)
		return -(long)code;
	(void)curl_easy_getinfo(visit->curl, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

/* One GET /healthz on its own connection; `cert` NULL: without a certificate. */
static long knock(const char *trusted, const char *cert, long version)
{
	char cert_path[TEMP_PATH_SIZE], key_path[TEMP_PATH_SIZE], name[64];
	struct visit visit;

	visit_open(&visit, trusted, version);
	if (cert) {
		(void)snprintf(name, sizeof(name), "%s.pem", cert);
		(void)curl_easy_setopt(visit.curl, CURLOPT_SSLCERT,
				       temp_dir_path(&scene.dir, name, cert_path));
		(void)snprintf(name, sizeof(name), "%s.key", cert);
		(void)curl_easy_setopt(visit.curl, CURLOPT_SSLKEY,
				       temp_dir_path(&scene.dir, name, key_path));
	}
	long status = visit_ask(&visit, "/healthz", NO_BODY);
	visit_close(&visit);
	return status;
}

static const long versions[] = {CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};

/* ---- The tests ---- */

static void values_go_and_come(void)
{
	size_t len = 10 << 20;
	char *value = malloc(len);

	for (size_t i = 0; i < len; i++)
		value[i] = (char)(i * 2654435761U >> 13);
	server_start(&scene.server);
	for (size_t v = 0; v < 2; v++) {
		struct visit visit;

		visit_open(&visit, "ca.pem", versions[v]);
		cr_expect_eq(visit_ask(&visit, "/cache/a/k", SLICE("hello")), v == 0 ? 201 : 204);
		cr_expect_eq(visit_ask(&visit, "/cache/a/k", NO_BODY), 200);
		cr_expect_str_eq(visit.body.data, "hello");
		cr_expect_eq(visit_ask(&visit, "/cache/a/large",
				       (struct slice){.data = value, .len = len}),
			     v == 0 ? 201 : 204);
		cr_expect_eq(visit_ask(&visit, "/cache/a/large", NO_BODY), 200);
		cr_expect(visit.body.len == len && memcmp(visit.body.data, value, len) == 0);
		cr_expect_eq(visit_ask(&visit, "/cache/a/none", NO_BODY), 404);
		/* An answer that is produced while it is sent. */
		cr_expect_eq(visit_ask(&visit, "/export", NO_BODY), 200);
		cr_expect_gt(visit.body.len, len);
		cr_expect_not_null(
			memmem(visit.body.data + visit.body.len - 40, 40, "\"complete\":true", 15));
		visit_close(&visit);
	}
	free(value);
	scene_stop();
}

Test(tls, values_of_any_size_go_and_come)
{
	values_go_and_come();
}

/* The kernel does not encrypt what it sends from a file. */
Test(tls, values_in_files_go_and_come)
{
	scene_env_printf("STEADYCACHE_LARGE_VALUES=dir:%s/large", scene.dir.path);
	values_go_and_come();
}

Test(tls, too_large_a_body_gets_its_answer)
{
	size_t len = 3 << 20;
	char *value = calloc(1, len);
	struct visit visit;

	scene_env("STEADYCACHE_MAX_BODY_MB=1");
	server_start(&scene.server);
	for (int i = 0; i < 5; i++) {
		visit_open(&visit, "ca.pem", 0);
		cr_expect_eq(visit_ask(&visit, "/cache/a/k", (struct slice){value, len}), 413);
		visit_close(&visit);
	}
	free(value);
	scene_stop();
}

Test(tls, plain_http_gets_a_clean_end)
{
	struct raw_socket raw;

	server_start(&scene.server);
	for (int i = 0; i < 3; i++) {
		cr_assert(raw_open(&raw, scene.server.url));
		(void)raw_send_text(&raw, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n%0*d",
				    5000 * i + 1, 0);
		cr_expect(raw_await_close(&raw, 10000), "the connection stays open");
		cr_expect_null(strstr(raw.received, "HTTP"), "%s", raw.received);
		raw_close(&raw);
	}
	/* libcurl tells an end from a reset. */
	CURL *curl = curl_easy_init();
	(void)curl_easy_setopt(curl, CURLOPT_URL, scene.server.url);
	cr_expect_eq(curl_easy_perform(curl), CURLE_GOT_NOTHING);
	curl_easy_cleanup(curl);
	cr_expect_eq(knock("ca.pem", NULL, 0), 200);
	scene_stop();
}

/* A client that never completes the handshake is disconnected. */
Test(tls, silent_and_slow_handshakes_are_cut_off)
{
	/* The head of a ClientHello that announces 512 bytes. */
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct raw_socket silent, begun, slow;
	long long start_ms;

	scene_env("STEADYCACHE_IDLE_TIMEOUT=1");
	scene_env("STEADYCACHE_REQUEST_TIMEOUT=1");
	server_start(&scene.server);
	cr_assert(raw_open(&silent, scene.server.url) && raw_open(&begun, scene.server.url) &&
		  raw_open(&slow, scene.server.url));
	(void)raw_send(&begun, SLICE(hello));
	(void)raw_send(&slow, SLICE(hello));
	start_ms = steady_now_ms();
	while (!raw_await_close(&slow, 100) && steady_now_ms() - start_ms < 15000)
		if (!raw_send(&slow, SLICE("x")))
			break;
	cr_expect_lt(steady_now_ms() - start_ms, 10000, "a slow handshake is not cut off");
	cr_expect(raw_await_close(&silent, 10000), "a silent connection stays open");
	cr_expect(raw_await_close(&begun, 10000), "a handshake that was begun stays open");
	raw_close(&silent);
	raw_close(&begun);
	raw_close(&slow);
	cr_expect_eq(knock("ca.pem", NULL, 0), 200);
	scene_stop();
}

Test(tls, versions_before_1_2_are_refused)
{
	server_start(&scene.server);
	cr_expect_lt(knock("ca.pem", NULL, CURL_SSLVERSION_TLSv1_1), 0);
	cr_expect_eq(knock("ca.pem", NULL, CURL_SSLVERSION_TLSv1_2), 200);
	cr_expect_eq(knock("ca.pem", NULL, CURL_SSLVERSION_TLSv1_3), 200);
	cr_expect_eq(knock("ca.pem", NULL, CURL_SSLVERSION_TLSv1_2), 200);
	scene_stop();
}

Test(tls, clients_must_have_a_certificate_where_authorities_are_named)
{
	make_authority("clients");
	make_certificate("good", "clients", "clientAuth");
	make_certificate("foreign", "ca", "clientAuth");
	make_certificate("for-servers", "clients", "serverAuth");
	scene_env_printf("STEADYCACHE_TLS_CLIENT_CA=%s", in_dir("clients.pem"));
	server_start(&scene.server);
	for (size_t v = 0; v < 2; v++) {
		cr_expect_eq(knock("ca.pem", "good", versions[v]), 200);
		cr_expect_lt(knock("ca.pem", NULL, versions[v]), 0);
		cr_expect_lt(knock("ca.pem", "foreign", versions[v]), 0);
		cr_expect_lt(knock("ca.pem", "for-servers", versions[v]), 0);
		cr_expect_eq(knock("ca.pem", "good", versions[v]), 200);
	}
	scene_stop();
}

static void hang_up(const char *awaited)
{
	cr_assert_eq(kill(scene.server.pid, SIGHUP), 0);
	cr_assert(server_await_log(&scene.server, awaited, 10000), "expected %s", awaited);
}

Test(tls, files_are_read_again_and_connections_stay)
{
	struct visit old;
	long connects = -1;

	server_start(&scene.server);
	visit_open(&old, "ca.pem", 0);
	cr_assert_eq(visit_ask(&old, "/cache/a/k", SLICE("v")), 201);
	make_authority("new-ca");
	make_certificate("server", "new-ca", "serverAuth");
	hang_up("the certificate was read again");
	cr_expect_eq(visit_ask(&old, "/cache/a/k", NO_BODY), 200);
	(void)curl_easy_getinfo(old.curl, CURLINFO_NUM_CONNECTS, &connects);
	cr_expect_eq(connects, 0, "the connection was dropped");
	cr_expect_eq(knock("ca.pem", NULL, 0), -CURLE_PEER_FAILED_VERIFICATION);
	cr_expect_eq(knock("new-ca.pem", NULL, 0), 200);

	/* A key that does not belong to the certificate is rejected. */
	make_certificate("another", "new-ca", "serverAuth");
	run("cp '%s' '%s'", in_dir("another.key"), in_dir("server.key"));
	hang_up("it is not that of the certificate");
	cr_expect_eq(knock("new-ca.pem", NULL, 0), 200);
	cr_expect_eq(visit_ask(&old, "/cache/a/k", NO_BODY), 200);
	visit_close(&old);
	scene_stop();
}

Test(tls, authorities_of_clients_are_read_again)
{
	make_authority("clients");
	make_certificate("first", "clients", "clientAuth");
	scene_env_printf("STEADYCACHE_TLS_CLIENT_CA=%s", in_dir("clients.pem"));
	server_start(&scene.server);
	cr_expect_eq(knock("ca.pem", "first", 0), 200);
	make_authority("clients");
	make_certificate("second", "clients", "clientAuth");
	cr_expect_lt(knock("ca.pem", "second", 0), 0);
	hang_up("the certificate was read again");
	cr_expect_eq(knock("ca.pem", "second", 0), 200);
	cr_expect_lt(knock("ca.pem", "first", 0), 0);
	scene_stop();
}

/* Reloads during handshakes. */
static atomic_bool over;

static const char *knock_or_reload(size_t index, void *user)
{
	(void)user;
	if (index == 0) {
		for (int i = 0; i < 50; i++) {
			if (kill(scene.server.pid, SIGHUP) != 0)
				return "the server is gone";
			nap_ms(5);
		}
		atomic_store(&over, true);
		return NULL;
	}
	while (!atomic_load(&over))
		if (knock("ca.pem", NULL, 0) != 200)
			return "a handshake has failed";
	return NULL;
}

Test(tls, reloads_under_load)
{
	server_start(&scene.server);
	const char *failure = in_threads(3, knock_or_reload, NULL);
	cr_expect_null(failure, "%s", failure);
	scene_stop();
}

/* A request that is suspended, and resumed by another connection. */
static const char *wait_or_bring(size_t index, void *user)
{
	struct visit visit;
	const char *failure = NULL;

	(void)user;
	visit_open(&visit, "ca.pem", 0);
	if (index == 0) {
		if (visit_ask(&visit, "/cache/a/k?wait=15", NO_BODY) != 200 ||
		    strcmp(visit.body.data, "value") != 0)
			failure = "the value did not come to who waited";
	} else {
		bool waits =
			await_condition(visit_ask(&visit, "/stats/a", NO_BODY) == 200 &&
						strstr(visit.body.data, "\"misses\":2,") != NULL,
					10000);

		if (!waits || visit_ask(&visit, "/cache/a/k", SLICE("value")) != 201)
			failure = "nobody waits, or the value could not be stored";
	}
	visit_close(&visit);
	return failure;
}

Test(tls, requests_wait_as_over_plain_http)
{
	struct visit visit;

	server_start(&scene.server);
	visit_open(&visit, "ca.pem", 0);
	cr_assert_eq(visit_ask(&visit, "/cache/a/other", SLICE("v")), 201);
	cr_assert_eq(visit_ask(&visit, "/cache/a/k?lease=30", NO_BODY), 404);
	const char *failure = in_threads(2, wait_or_bring, NULL);
	cr_expect_null(failure, "%s", failure);
	visit_close(&visit);
	scene_stop();
}

Test(tls, the_client_commands_speak_it)
{
	server_start(&scene.server);
	run("export STEADYCACHE_URL=https%s STEADYCACHE_CA_FILE='%s'; '%s' set a k hello && "
	    "test \"$('%s' get a k)\" = hello && '%s' healthcheck >/dev/null",
	    strchr(scene.server.url, ':'), in_dir("ca.pem"), STEADYCACHE_BINARY, STEADYCACHE_BINARY,
	    STEADYCACHE_BINARY);
	scene_stop();
}

Test(tls, the_client_commands_show_a_certificate)
{
	make_authority("clients");
	make_certificate("me", "clients", "clientAuth");
	make_certificate("another", "clients", "clientAuth");
	scene_env_printf("STEADYCACHE_TLS_CLIENT_CA=%s", in_dir("clients.pem"));
	server_start(&scene.server);
	run("cat '%s' '%s' >'%s'", in_dir("me.pem"), in_dir("me.key"), in_dir("both.pem"));
	run("cd '%s'; export STEADYCACHE_URL=https%s STEADYCACHE_CA_FILE=ca.pem; exec 2>err; "
	    "'%s' healthcheck >/dev/null; test $? = 1 && "
	    "export STEADYCACHE_CLIENT_CERT=both.pem && '%s' healthcheck >/dev/null && "
	    "export STEADYCACHE_CLIENT_CERT=me.pem STEADYCACHE_CLIENT_KEY=me.key && "
	    "'%s' set a k hello && export STEADYCACHE_CLIENT_KEY=another.key; '%s' get a k; "
	    "test $? = 2 && grep -q 'STEADYCACHE_CLIENT_KEY does not belong' err",
	    scene.dir.path, strchr(scene.server.url, ':'), STEADYCACHE_BINARY, STEADYCACHE_BINARY,
	    STEADYCACHE_BINARY, STEADYCACHE_BINARY);
	scene_stop();
}

Test(tls, bad_files_at_the_start)
{
	make_certificate("other", "ca", "serverAuth");
	run("echo nothing >'%s'", in_dir("bad.pem"));
	const char *cert = in_dir("server.pem"), *key = in_dir("server.key");
	const char *bad = in_dir("bad.pem"), *other = in_dir("other.key");
	const struct {
		const char *cert, *key, *client_ca, *named;
	} cases[] = {
		{cert, other, NULL, "is not that of the certificate (--tls-key)"},
		{cert, bad, NULL, "(--tls-key)"},
		{bad, key, NULL, "(--tls-cert)"},
		{"/nonexistent", key, NULL, "(--tls-cert)"},
		{cert, "/nonexistent", NULL, "(--tls-key)"},
		{cert, key, bad, "(--tls-client-ca)"},
		{cert, key, "/nonexistent", "(--tls-client-ca)"},
		{cert, NULL, NULL, "--tls-cert and --tls-key must be set together"},
		{NULL, key, NULL, "--tls-cert and --tls-key must be set together"},
		{NULL, NULL, cert, "--tls-client-ca needs both"},
	};

	memset(scene.server.environment, 0, sizeof(scene.server.environment));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].cert)
			scene_env_printf("STEADYCACHE_TLS_CERT=%s", cases[i].cert);
		if (cases[i].key)
			scene_env_printf("STEADYCACHE_TLS_KEY=%s", cases[i].key);
		if (cases[i].client_ca)
			scene_env_printf("STEADYCACHE_TLS_CLIENT_CA=%s", cases[i].client_ca);
		scene_expect_refused_start(cases[i].named);
	}
}

/* ---- Raw bytes ---- */

/* Sends the bytes in pieces of `piece` on its own connection and reads until that is closed. */
static void send_bytes(struct visit *visit, const char *bytes, size_t piece)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	CURLcode code = CURLE_OK;
	size_t done = 0;
	char got[4096];

	visit_open(visit, "ca.pem", 0);
	(void)snprintf(visit->url, sizeof(visit->url), "https%s", strchr(scene.server.url, ':'));
	(void)curl_easy_setopt(visit->curl, CURLOPT_URL, visit->url);
	(void)curl_easy_setopt(visit->curl, CURLOPT_CONNECT_ONLY, 1L);
	cr_assert_eq(curl_easy_perform(visit->curl), CURLE_OK);
	(void)curl_easy_getinfo(visit->curl, CURLINFO_ACTIVESOCKET, &fd);
	for (size_t at = 0; at < strlen(bytes) && code == CURLE_OK; at += done) {
		size_t len = strlen(bytes) - at;

		code = curl_easy_send(visit->curl, bytes + at, len < piece ? len : piece, &done);
	}
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		code = curl_easy_recv(visit->curl, got, sizeof(got), &done);
		if (code == CURLE_AGAIN && poll(&poll_fd, 1, 20000) == 1)
			continue;
		if (code != CURLE_OK || done == 0)
			break;
		buffer_append(&visit->body, (struct slice){.data = got, .len = done});
	}
	cr_assert_neq(code, CURLE_AGAIN, "the connection stays open");
	buffer_append_char(&visit->body, '\0');
}

#define SHORT "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
#define PUT   "PUT /cache/a/k HTTP/1.1\r\nHost: localhost\r\n"

/* As without TLS (tests/conformance/framing.c). */
Test(tls, requests_that_can_be_read_in_two_ways_are_refused)
{
	static const char *const requests[] = {
		PUT "Content-Le: 5\r\n ngth\r\n\r\n" SHORT "\r\n",
		PUT "Content-Length: abc\r\n\r\n" SHORT "\r\n",
		PUT ": x\r\n\r\n" SHORT "\r\n",
		PUT "Transfer-Encoding: chunked\r\n\r\n2;\nxx\r\n0\r\n\r\n" SHORT "\r\n",
	};
	static const size_t pieces[] = {1, 1000};
	struct visit visit;

	server_start(&scene.server);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < 2; j++) {
			send_bytes(&visit, requests[i], pieces[j]);
			cr_expect_eq(strncmp(visit.body.data, "HTTP/1.1 400 ", 13), 0, "%zu: %s", i,
				     visit.body.data);
			cr_expect_null(strstr(visit.body.data, "HTTP/1.1 200 "));
			visit_close(&visit);
		}
	scene_stop();
}

Test(tls, one_request_after_the_other_on_one_connection)
{
	static const char requests[] = SHORT
		"\r\n" PUT "Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
		"GET /cache/a/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	static const size_t pieces[] = {1, 7, 1000};
	struct visit visit;

	server_start(&scene.server);
	for (size_t j = 0; j < 3; j++) {
		send_bytes(&visit, requests, pieces[j]);
		cr_expect_eq(strncmp(visit.body.data, "HTTP/1.1 200 ", 13), 0, "%s",
			     visit.body.data);
		cr_expect(strstr(visit.body.data, "\r\n\r\nabcde"), "%s", visit.body.data);
		visit_close(&visit);
	}
	scene_stop();
}

/* ---- A body behind its head ---- */

#define NAGLE_ROUNDS 11

/* Sends a request and awaits the answer to it, on the connection of `curl`. `body` empty: GET. */
static int64_t time_exchange(CURL *curl, struct slice head, struct slice body)
{
	char got[2000] = "";
	size_t len = 0, sent = 0;
	curl_socket_t fd = CURL_SOCKET_BAD;
	int64_t began_us = monotonic_now_us();

	(void)curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &fd);
	cr_assert_eq(curl_easy_send(curl, head.data, head.len, &sent), CURLE_OK);
	if (body.len > 0)
		cr_assert_eq(curl_easy_send(curl, body.data, body.len, &sent), CURLE_OK);
	while (!memmem(got, len, "\r\n\r\n", 4)) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		size_t more = 0;
		CURLcode code = curl_easy_recv(curl, got + len, sizeof(got) - len, &more);

		cr_assert(code == CURLE_OK || code == CURLE_AGAIN);
		if (code == CURLE_AGAIN)
			cr_assert_eq(poll(&readable, 1, 20000), 1);
		len += more;
	}
	return monotonic_now_us() - began_us;
}

static int compare_times(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* The median of requests with head and body apart, each after one that was answered. */
static int64_t median_put(long no_delay)
{
	static const char body[2800];
	int64_t times_us[NAGLE_ROUNDS];
	struct visit visit;

	visit_open(&visit, "ca.pem", 0);
	(void)curl_easy_setopt(visit.curl, CURLOPT_TCP_NODELAY, no_delay);
	(void)curl_easy_setopt(visit.curl, CURLOPT_CONNECT_ONLY, 1L);
	cr_assert_eq(visit_ask(&visit, "", NO_BODY), 0);
	for (unsigned i = 0; i < NAGLE_ROUNDS; i++) {
		(void)time_exchange(visit.curl,
				    SLICE("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
				    NO_BODY);
		times_us[i] = time_exchange(visit.curl,
					    SLICE("PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n"
						  "Content-Length: 2800\r\n\r\n"),
					    (struct slice){.data = body, .len = sizeof(body)});
	}
	visit_close(&visit);
	qsort(times_us, NAGLE_ROUNDS, sizeof(*times_us), compare_times);
	return times_us[NAGLE_ROUNDS / 2];
}

/* test_nagle.c has this without TLS. */
Test(tls, a_body_behind_its_head_comes_at_once)
{
	server_start(&scene.server);
	int64_t nagle = median_put(0), at_once = median_put(1);

	cr_expect_lt(nagle, at_once + 20000, "%lld us, and %lld without Nagle's algorithm",
		     (long long)nagle, (long long)at_once);
	scene_stop();
}
