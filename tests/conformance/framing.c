/* Requests that can be read in two ways: one refusal in the form of the API, a closed connection,
 * and neither they nor what follows is executed. (tests/unit/test_guard.c has all of them, in all
 * pieces.) */
#include "tests/conformance/conformance.h"

#include <stdlib.h>

CONFORMANCE_SUITE(framing);

#define ANSWER_MS 20000
#define SHORT     "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"

static struct raw_socket raw;

static const char *authorization(void)
{
	return api_key ? quoted("Authorization: Bearer %s\r\n", api_key) : "";
}

/* A PUT up to the end of the fields that all tests share. */
static const char *put(const char *key)
{
	return quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%s", entry_path(key), authorization());
}

/* A request that must not be executed. */
static const char *delete_victim(void)
{
	return quoted("DELETE %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", entry_path("victim"),
		      authorization());
}

static unsigned count_answers(const char *text)
{
	unsigned count = 0;

	while ((text = strstr(text, "HTTP/1.1 "))) {
		text += sizeof("HTTP/1.1 ") - 1;
		count += *text >= '0' && *text <= '9';
	}
	return count;
}

/* Expects one answer, followed by the end of the connection. */
static void expect_one_refusal(int status)
{
	cr_assert(raw_await_close(&raw, ANSWER_MS), "the connection stays open: %s", raw.received);
	cr_assert_eq(count_answers(raw.received), 1, "not one answer: %s", raw.received);
	cr_assert(strncmp(raw.received, quoted("HTTP/1.1 %d ", status), 13) == 0,
		  "expected %d, got: %s", status, raw.received);
	cr_assert(strstr(raw.received, "\r\nConnection: close\r\n"), "got: %s", raw.received);
	cr_assert(lacks_feature("request-id") || strstr(raw.received, "\r\nX-Request-Id: "),
		  "got: %s", raw.received);
	cr_assert(strstr(raw.received, "\"error\":\""), "got: %s", raw.received);
}

static void expect_refused(const char *start, struct slice rest, int status)
{
	cr_assert(raw_open(&raw, server_url), "cannot connect to %s", server_url);
	(void)raw_send(&raw, slice_of(start));
	(void)raw_send(&raw, rest);
	(void)raw_send(&raw, slice_of(delete_victim()));
	expect_one_refusal(status);
	raw_close(&raw);
	expect_body(http_get(client, entry_path("victim")), SLICE("v"));
	expect_status(http_get(client, entry_path("k")), 404);
}

static void open_framing(void)
{
	requires_feature("raw");
	expect_status(http_put(client, entry_path("victim"), SLICE("v")), 201);
}

Test(framing, ambiguous_heads)
{
	static const char *const fields[] = {
		"Content-Le: 5\r\n ngth\r\n\r\n",
		"Content-Length: 100\r\n \r\n\r\n",
		"Transfer-Enc: chunked\r\n oding\r\n\r\n",
		": x\r\n\r\n",
		"X : y\r\n\r\n",
		"X: a\rb\r\n\r\n",
		"Content-Length: abc\r\n\r\n",
		"Content-Length: -1\r\n\r\n",
		"Content-Length: +5\r\n\r\nhello",
		"Content-Length:\r\n\r\n",
		"Content-Length: 5, 5\r\n\r\nhello",
		"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"Host: other\r\n\r\n",
	};

	open_framing();
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		expect_refused(put("k"), slice_of(fields[i]), 400);
	expect_refused(put("k"), SLICE("\0X: y\r\n\r\n"), 400);
	expect_refused(put("k"), SLICE("X: a\0b\r\n\r\n"), 400);
	expect_refused(put("k"), SLICE("Content-Length: 161\0 99\r\n\r\n"), 400);
	expect_refused(put("k"), SLICE("Transfer-Encoding: xchunked\r\n\r\n"), 501);
	expect_refused("GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", NO_BODY, 400);
	expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NO_BODY, 505);
}

Test(framing, ambiguous_chunks)
{
	static const char *const bodies[] = {
		"2;\nxx\r\n0\r\n\r\n",   "2\nxx\r\n0\r\n\r\n",     "2\r\nxx\n0\r\n\r\n",
		"2\r\nxxx\r\n0\r\n\r\n", "0x2\r\nxx\r\n0\r\n\r\n", "0\r\nbad trailer\r\n\r\n",
		"0\r\nX: y\n\n",         "-2\r\nxx\r\n0\r\n\r\n",
	};

	open_framing();
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		expect_refused(put("k"),
			       slice_of(quoted("Transfer-Encoding: chunked\r\n\r\n%s", bodies[i])),
			       400);
}

Test(framing, refusals_have_the_form_of_their_path)
{
	open_framing();
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(&raw, SHORT "X : y\r\n\r\n");
	expect_one_refusal(400);
	cr_assert(strstr(raw.received, "\r\nContent-Type: application/problem+json\r\n"));
	cr_assert(strstr(raw.received, "\"status\":400"));
	raw_close(&raw);
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(&raw, "POST /api/get HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n");
	expect_one_refusal(400);
	cr_assert(strstr(raw.received, "\r\nContent-Type: application/json"));
	cr_assert(strstr(raw.received, "\r\n\r\n{\"error\":\""));
	raw_close(&raw);
}

/* In its turn: the answers before it come first. */
/* After paths of all lengths: what is remembered of a query must not be looked for elsewhere. */
Test(framing, a_refusal_behind_a_query)
{
	char path[120] = "/healthz";

	open_framing();
	for (size_t len = strlen(path); len + 1 < sizeof(path); len++) {
		path[len] = 'z';
		cr_assert(raw_open(&raw, server_url), "cannot connect to %s", server_url);
		(void)raw_send(&raw, slice_of(quoted("GET %s?a&b+c HTTP/1.1\r\nHost: localhost\r\n"
						     "X-Request-Id: of-the-client\r\nbad\r\n\r\n",
						     path)));
		expect_one_refusal(400);
		cr_assert(lacks_feature("request-id") ||
				  strstr(raw.received, "\r\nX-Request-Id: of-the-client\r\n"),
			  "got: %s", raw.received);
		raw_close(&raw);
	}
}

Test(framing, a_bad_request_in_a_pipeline)
{
	open_framing();
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(&raw, SHORT "\r\n" SHORT "\r\n" SHORT "X : y\r\n\r\n%s",
			    delete_victim());
	cr_assert(raw_await_close(&raw, ANSWER_MS), "got: %s", raw.received);
	cr_assert_eq(count_answers(raw.received), 3, "got: %s", raw.received);
	cr_assert(strstr(raw.received, "HTTP/1.1 400 "), "got: %s", raw.received);
	raw_close(&raw);
	expect_body(http_get(client, entry_path("victim")), SLICE("v"));
}

/* Byte by byte, with extensions and trailers, several on one connection. */
Test(framing, requests_in_single_bytes)
{
	const char *requests =
		quoted("%sTransfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n002\r\nde\r\n0\r\n"
		       "X-Sum: 1\r\n\r\n%sContent-Length: 2 \r\n\r\nhi\r\n" SHORT
		       "Connection: close\r\n\r\n",
		       put("k"), put("l"));

	open_framing();
	cr_assert(raw_open(&raw, server_url));
	for (const char *at = requests; *at; at++)
		cr_assert(raw_send(&raw, (struct slice){.data = at, .len = 1}));
	cr_assert(raw_await_close(&raw, ANSWER_MS), "got: %s", raw.received);
	cr_assert_eq(count_answers(raw.received), 3, "got: %s", raw.received);
	raw_close(&raw);
	expect_body(http_get(client, entry_path("k")), SLICE("abcde"));
	expect_body(http_get(client, entry_path("l")), SLICE("hi"));
}

/* More parameters, cookies and fields than the HTTP library has memory for. */
Test(framing, what_the_library_cannot_hold)
{
	char *text = calloc(1, 65536);
	size_t len = 0;

	open_framing();
	cr_assert(text);
	for (size_t i = 0; i < 1000; i++)
		len += (size_t)sprintf(text + len, "a&%%");
	expect_status(http_get(client, quoted("%s?%s", entry_path("victim"), text)), 200);
	len = 0;
	for (size_t i = 0; i < 1000; i++)
		len += (size_t)sprintf(text + len, "a;");
	expect_status(http_get(client, entry_path("victim"), quoted("Cookie: %s", text)), 200);
	len = 0;
	for (size_t i = 0; i < 500; i++)
		len += (size_t)sprintf(text + len, "a:\r\n");
	expect_refused("GET /healthz HTTP/1.1\r\nHost: localhost\r\n", slice_of(text), 431);
	memset(text, 'u', 60000);
	text[60000] = '\0';
	expect_refused("GET /", slice_of(text), 414);
	free(text);
}
