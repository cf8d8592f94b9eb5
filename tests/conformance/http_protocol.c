/* HTTP itself: framing, versions, connections, HEAD. */
#include "tests/conformance/conformance.h"

#include <curl/curl.h>
#include <stdlib.h>

CONFORMANCE_SUITE(http_protocol);

#define ANSWER_MS 20000

static struct raw_socket raw;

static const char *authorization(void)
{
	return api_key ? quoted("Authorization: Bearer %s\r\n", api_key) : "";
}

static void open_raw(void)
{
	requires_feature("raw");
	cr_assert(raw_open(&raw, server_url), "cannot connect to %s", server_url);
}

#define expect_raw(expected_status)                                                                \
	do {                                                                                       \
		int status_ = raw_await_answer(&raw, ANSWER_MS);                                   \
		cr_assert_eq(status_, expected_status, "expected %d, got: %s", expected_status,    \
			     raw.received);                                                        \
	} while (0)

Test(http_protocol, keep_alive)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	for (int i = 0; i < 20; i++)
		expect_that(http_get(client, entry_path("k")), !answer_->reconnected,
			    "expected the connection to be kept");
	/* Errors keep the connection open, too. */
	expect_status(http_get(client, entry_path("absent")), 404);
	expect_status(d1("get", "'key':5"), 400);
	expect_status(http_get(client, "/nope"), 404);
	expect_status(http_post(client, entry_path("k"), SLICE("body")), 405);
	expect_that(http_get(client, entry_path("k")), !answer_->reconnected,
		    "expected the connection to be kept after errors");
}

Test(http_protocol, connection_close_is_obeyed)
{
	open_raw();
	(void)raw_send_text(
		&raw, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	cr_assert(raw_await_close(&raw, ANSWER_MS), "the connection stays open");
	cr_assert(strncmp(raw.received, "HTTP/1.1 200 ", 13) == 0, "got: %s", raw.received);
	raw_close(&raw);
}

Test(http_protocol, http_10)
{
	expect_status(http_put(client, entry_path("k"), SLICE("value")), 201);
	http_client_use_http10(client);
	expect_body(http_get(client, entry_path("k")), SLICE("value"));
	expect_d1(d1("get", "'key':'k'"), 200, "{'found':true,'value':'value'}");
	expect_status(http_put(client, entry_path("k"), SLICE("w")), 204);
	open_raw();
	(void)raw_send_text(&raw, "GET /healthz HTTP/1.0\r\n\r\n");
	cr_assert(raw_await_close(&raw, ANSWER_MS), "HTTP/1.0: the connection stays open");
	cr_assert(strstr(raw.received, " 200 "), "got: %s", raw.received);
	raw_close(&raw);
}

/* RFC 9112, 3.2.2: the form that a proxy gets. */
Test(http_protocol, targets_in_absolute_form)
{
	static const char *const bases[] = {"http://localhost", "HTTP://localhost:1",
					    "https://cache.example"};

	open_raw();
	expect_status(http_put(client, entry_path("k"), SLICE("value")), 201);
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		(void)raw_send_text(&raw, "GET %s%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
				    bases[i], entry_path("k"), authorization());
		expect_raw(200);
		(void)raw_send_text(&raw,
				    "POST %s/api/get HTTP/1.1\r\nHost: localhost\r\n%s"
				    "Content-Length: 7\r\n\r\n{\"a\":1}",
				    bases[i], authorization());
		expect_raw(400);
	}
	raw_close(&raw);
}

/* RFC 9110, 5.5: they are not part of the value. */
Test(http_protocol, blanks_behind_header_values)
{
	const char *key = api_key ? quoted("Authorization: Bearer %s \t\r\n", api_key) : "";

	requires_feature("raw");
	open_raw();
	(void)raw_send_text(&raw,
			    "PUT %s HTTP/1.1\r\nHost: localhost \r\n%sContent-Type: text/x \t \r\n"
			    "Content-Encoding: identity \r\nContent-Length: 1\r\n\r\nv",
			    entry_path("k"), key);
	expect_raw(201);
	expect_body(http_get(client, entry_path("k")), SLICE("v"));
	expect_header(http_get(client, entry_path("k")), "Content-Type", "text/x");
	(void)raw_send_text(
		&raw,
		"PUT %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked \r\n\r\n"
		"1\r\nw\r\n0\r\n\r\n",
		entry_path("k"), key);
	expect_raw(204);
	raw_close(&raw);
	expect_body(http_get(client, entry_path("k")), SLICE("w"));
}

Test(http_protocol, no_chunks_before_http_11)
{
	open_raw();
	(void)raw_send_text(
		&raw,
		"PUT %s HTTP/1.0\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\n\r\n"
		"1\r\nv\r\n0\r\n\r\n",
		entry_path("k"), authorization());
	cr_assert(raw_await_close(&raw, ANSWER_MS), "the connection stays open");
	cr_assert(strstr(raw.received, " 400 "), "got: %s", raw.received);
	raw_close(&raw);
	expect_status(http_get(client, entry_path("k")), 404);
}

Test(http_protocol, chunked_uploads_by_libcurl)
{
	size_t len = 300000;
	char *bytes = malloc(len);
	struct slice value = {bytes, len};

	cr_assert(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i * 31 >> 3);
	expect_status(http_put(client, entry_path("k"), value, "Transfer-Encoding: chunked"), 201);
	expect_body(http_get(client, entry_path("k")), value);
	expect_d1(http_post(client, "/api/exists",
			    slice_of(quoted("{'cache_name':'%s','key':'k'}", ns)),
			    "Transfer-Encoding: chunked"),
		  200, "{'exists':true}");
	free(bytes);
}

Test(http_protocol, chunked_uploads_by_hand)
{
	open_raw();
	(void)raw_send_text(
		&raw, "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\n\r\n",
		entry_path("k"), authorization());
	(void)raw_send_text(&raw, "5\r\nhello\r\n");
	(void)raw_send_text(&raw, "1;extension=\"x\"\r\n \r\n00B\r\nsteadycache\r\n");
	(void)raw_send_text(&raw, "0\r\nTrailer: x\r\n\r\n");
	expect_raw(201);
	expect_body(http_get(client, entry_path("k")), SLICE("hello steadycache"));
	(void)raw_send_text(
		&raw,
		"PUT %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\n\r\n"
		"0\r\n\r\n",
		entry_path("empty"), authorization());
	expect_raw(201);
	expect_body(http_get(client, entry_path("empty")), SLICE(""));
	raw_close(&raw);
}

Test(http_protocol, expect_100_continue)
{
	open_raw();
	(void)raw_send_text(&raw,
			    "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 5\r\n"
			    "Expect: 100-continue\r\n\r\n",
			    entry_path("k"), authorization());
	cr_assert(raw_await(&raw, "HTTP/1.1 100 ", ANSWER_MS), "got: %s", raw.received);
	(void)raw_send_text(&raw, "hello");
	expect_raw(201);
	raw_close(&raw);
	expect_status(http_put(client, entry_path("k"), SLICE("hello"), "Expect: 100-continue"),
		      204);
}

Test(http_protocol, a_refused_body_is_not_asked_for)
{
	const char *max_body = getenv("STEADYCACHE_TEST_MAX_BODY");

	if (!max_body)
		cr_skip("STEADYCACHE_TEST_MAX_BODY is not set");
	open_raw();
	(void)raw_send_text(&raw,
			    "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %lld\r\n"
			    "Expect: 100-continue\r\n\r\n",
			    entry_path("k"), authorization(), atoll(max_body) + 1);
	cr_assert(raw_await(&raw, "\r\n\r\n", ANSWER_MS), "no answer");
	cr_assert(strncmp(raw.received, "HTTP/1.1 413 ", 13) == 0, "got: %s", raw.received);
	raw_close(&raw);
}

Test(http_protocol, pipelined_requests_are_answered_in_order)
{
	char expected[3][32];

	open_raw();
	for (int i = 0; i < 3; i++) {
		(void)snprintf(expected[i], sizeof(expected[i]), "value number %d", i);
		expect_status(http_put(client, entry_path(quoted("k%d", i)), slice_of(expected[i])),
			      201);
	}
	for (int i = 0; i < 3; i++)
		(void)raw_send_text(&raw, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
				    entry_path(quoted("k%d", i)), authorization());
	for (int i = 0; i < 3; i++)
		cr_assert(raw_await(&raw, expected[i], ANSWER_MS), "answer %d is missing: %s", i,
			  raw.received);
	cr_assert(strstr(raw.received, expected[0]) < strstr(raw.received, expected[1]) &&
		  strstr(raw.received, expected[1]) < strstr(raw.received, expected[2]));
	raw_close(&raw);
}

Test(http_protocol, a_request_in_single_bytes)
{
	const char *request =
		quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 3\r\n\r\nabc",
		       entry_path("k"), authorization());

	open_raw();
	for (const char *at = request; *at; at++)
		(void)raw_send(&raw, (struct slice){at, 1});
	expect_raw(201);
	raw_close(&raw);
	expect_body(http_get(client, entry_path("k")), SLICE("abc"));
}

Test(http_protocol, header_names_in_any_case)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v"), "content-type: text/css",
			       "IF-NONE-MATCH: *"),
		      201);
	expect_header(http_get(client, entry_path("k")), "content-type", "text/css");
	expect_status(http_put(client, entry_path("k"), SLICE("v"), "if-none-match: *"), 412);
}

Test(http_protocol, head_wherever_get_is)
{
	static const char *const targets[] = {"/cache",    "/cache/%s", "/stats",
					      "/stats/%s", "/healthz",  "/readyz"};

	for (size_t i = 0; i < 6; i++) {
		char target[100];
		const struct http_answer *answer;

		(void)snprintf(target, sizeof(target), "%.*s%s", (int)strcspn(targets[i], "%"),
			       targets[i], strchr(targets[i], '%') ? ns : "");
		answer = http_head(client, target);
		expect_status(answer, 200);
		expect_body(answer, SLICE(""));
		expect_that(answer, http_header(answer_, "Content-Type") != NULL,
			    "expected the headers of a GET");
	}
	expect_status(http_head(client, "/nope"), 404);
	expect_status(http_head(client, "/api/get"), 405);
}

Test(http_protocol, a_body_on_get_is_read_and_ignored)
{
	expect_status(http_put(client, entry_path("k"), SLICE("v")), 201);
	expect_body(http_request(client, "GET", entry_path("k"), SLICE("a body"), HTTP_HEADERS()),
		    SLICE("v"));
	expect_that(http_get(client, entry_path("k")),
		    !answer_->reconnected && answer_->status == 200, "expected keep-alive");
}

Test(http_protocol, the_server_does_not_compress_or_change_values)
{
	const struct http_answer *answer;

	expect_status(http_put(client, entry_path("k"), SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
			       "Content-Type: text/plain"),
		      201);
	answer = http_get(client, entry_path("k"), "Accept-Encoding: gzip, br");
	expect_header(answer, "Content-Encoding", NULL);
	expect_body(answer, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}
