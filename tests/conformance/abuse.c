/* Bytes that are not a proper request: a clear 4xx or a closed connection, and the server
 * continues. */
#include "tests/conformance/conformance.h"

#include <stdint.h>
#include <stdlib.h>

CONFORMANCE_SUITE(abuse);

#define ANSWER_MS 20000

static const char *authorization(void)
{
	return api_key ? quoted("Authorization: Bearer %s\r\n", api_key) : "";
}

static void expect_alive(void)
{
	const struct http_answer *answer = http_put(client, entry_path("alive"), SLICE("yes"));

	expect_that(answer, answer_->status / 100 == 2, "expected a server that goes on");
	expect_body(http_get(client, entry_path("alive")), SLICE("yes"));
}

/* Sends the bytes on a new connection, then no more. Expects `status`, or, if that is 0, any 4xx,
 * 501, 505 or a closed connection, and a server that continues. */
static void abuse_with(struct slice bytes, int status)
{
	struct raw_socket raw;
	int got;

	requires_feature("raw");
	cr_assert(raw_open(&raw, server_url), "cannot connect");
	(void)raw_send(&raw, bytes);
	raw_shutdown(&raw);
	got = raw_await_answer(&raw, ANSWER_MS);
	if (status)
		cr_assert_eq(got, status, "expected %d to \"%.60s...\", got: %s", status,
			     bytes.data, raw.received);
	else
		cr_assert((got == 0 && raw.closed) || got / 100 == 4 || got == 501 || got == 505,
			  "expected a 4xx or a close to \"%.60s...\", got %d: %s", bytes.data, got,
			  raw.received);
	raw_close(&raw);
	expect_alive();
}

static void abuse_with_text(const char *text, int status)
{
	abuse_with(slice_of(text), status);
}

Test(abuse, garbage)
{
	char bytes[4096];
	unsigned state = 99;

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			state = state * 1664525 + 1013904223;
			bytes[i] = (char)(state >> 24);
		}
		abuse_with((struct slice){bytes, sizeof(bytes)}, 0);
	}
}

Test(abuse, broken_request_lines)
{
	static const char *const requests[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET \r\n\r\n",
		"GET /healthz\r\n\r\n",
		"GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
		"GET /healthz HTTP\r\nHost: localhost\r\n\r\n",
		"GET /healthz FTP/1.1\r\nHost: localhost\r\n\r\n",
		"\x16\x03\x01\x02",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET http://[::1 HTTP/1.1\r\n\r\n",
		"GET \x01\x02 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"CONNECT example.org:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		abuse_with_text(requests[i], 0);
	abuse_with(SLICE("GET /\0healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0);
}

Test(abuse, a_missing_host_is_400_in_http_11)
{
	abuse_with_text("GET /healthz HTTP/1.1\r\n\r\n", 400);
}

Test(abuse, a_long_url)
{
	size_t len = 65536;
	char *request = malloc(len + 64);

	cr_assert(request);
	memcpy(request, "GET /cache/n/", 13);
	memset(request + 13, 'k', len);
	(void)strcpy(request + 13 + len, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
	abuse_with_text(request, 414);
	free(request);
}

Test(abuse, a_long_header)
{
	static const char start[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
	size_t len = 65536;
	char *request = malloc(sizeof(start) + len + 8), *at = request;

	cr_assert(request);
	at = mempcpy(at, start, sizeof(start) - 1);
	memset(at, 'h', len);
	(void)strcpy(at + len, "\r\n\r\n");
	abuse_with_text(request, 431);
	free(request);
}

Test(abuse, many_headers)
{
	size_t len = 0, count = 5000;
	char *request = malloc(128 + count * 16);

	cr_assert(request);
	len += (size_t)sprintf(request, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
	for (size_t i = 0; i < count; i++)
		len += (size_t)sprintf(request + len, "X-%zu: y\r\n", i);
	(void)strcpy(request + len, "\r\n");
	abuse_with_text(request, 431);
	free(request);
}

Test(abuse, broken_headers)
{
	static const char *const headers[] = {": no name", "no colon", " leading: space",
					      "Content-Length : 5"};

	for (size_t i = 0; i < 4; i++) {
		struct raw_socket raw;
		int got;

		requires_feature("raw");
		cr_assert(raw_open(&raw, server_url));
		(void)raw_send_text(&raw, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n",
				    headers[i]);
		raw_shutdown(&raw);
		got = raw_await_answer(&raw, ANSWER_MS);
		/* Ignoring such a line is allowed, too. */
		cr_assert(got == 0 || got == 200 || got == 400, "%s: got %d", headers[i], got);
		raw_close(&raw);
	}
	expect_alive();
}

Test(abuse, broken_chunks)
{
	static const char *const bodies[] = {
		"zz\r\nhello\r\n0\r\n\r\n",
		"5\r\nhelloXX0\r\n\r\n",
		"-5\r\nhello\r\n0\r\n\r\n",
		"5hello",
		"ffffffffffffffffff\r\nhello\r\n",
		"\r\n\r\n",
		"5\r\nhel",
		"5\r\nhello\r\n",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
		abuse_with_text(quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%s"
				       "Transfer-Encoding: chunked\r\n\r\n%s",
				       entry_path("broken"), authorization(), bodies[i]),
				0);
	expect_status(http_get(client, entry_path("broken")), 404);
}

Test(abuse, lengths_that_are_none)
{
	static const char *const lengths[] = {
		"-1", "x", "5x", "0x5", "99999999999999999999999", "1,2", "18446744073709551615"};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		abuse_with_text(
			quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %s\r\n\r\n"
			       "hello",
			       entry_path("broken"), authorization(), lengths[i]),
			0);
	expect_status(http_get(client, entry_path("broken")), 404);
}

/* The classic case of request smuggling. */
Test(abuse, both_length_and_transfer_encoding)
{
	struct raw_socket raw;
	int got;

	requires_feature("raw");
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(&raw,
			    "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 4\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
			    "DELETE %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
			    entry_path("k"), authorization(), entry_path("alive"), authorization());
	got = raw_await_answer(&raw, ANSWER_MS);
	cr_assert(got / 100 == 4 || got == 201 || (got == 0 && raw.closed), "got %d: %s", got,
		  raw.received);
	/* RFC 9112, 6.1: whatever the server answers, it must close the connection afterwards. */
	cr_assert(raw_await_close(&raw, ANSWER_MS), "the connection stays open: %s", raw.received);
	raw_close(&raw);
	expect_alive();
}

Test(abuse, unknown_transfer_encodings)
{
	abuse_with_text(quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: "
			       "gzip\r\n\r\nhello",
			       entry_path("broken"), authorization()),
			0);
	expect_status(http_get(client, entry_path("broken")), 404);
}

Test(abuse, early_close)
{
	struct raw_socket raw;

	requires_feature("raw");
	for (int i = 0; i < 50; i++) {
		cr_assert(raw_open(&raw, server_url));
		if (i % 3 == 0)
			(void)raw_send_text(
				&raw,
				"PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: "
				"100000\r\n\r\nonly this",
				entry_path("cut"), authorization());
		else if (i % 3 == 1)
			(void)raw_send_text(&raw, "GET %s HTTP/1.1\r\nHos", entry_path("cut"));
		else
			(void)raw_send_text(&raw,
					    "POST /api/get HTTP/1.1\r\nHost: localhost\r\n%s"
					    "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ca",
					    authorization());
		raw_close(&raw);
	}
	expect_alive();
	expect_status(http_get(client, entry_path("cut")), 404);
}

Test(abuse, a_client_that_does_not_read_its_answers)
{
	size_t len = 1048576;
	char *bytes = calloc(1, len);
	struct raw_socket raw[8];

	requires_feature("mebibyte-values");
	requires_feature("raw");
	expect_status(http_put(client, entry_path("big"), ((struct slice){bytes, len})), 201);
	free(bytes);
	for (int i = 0; i < 8; i++) {
		cr_assert(raw_open(&raw[i], server_url));
		for (int j = 0; j < 4; j++)
			(void)raw_send_text(&raw[i], "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
					    entry_path("big"), authorization());
	}
	expect_alive();
	for (int i = 0; i < 8; i++)
		raw_close(&raw[i]);
	expect_alive();
}

Test(abuse, a_body_over_the_limit)
{
	const char *known = getenv("STEADYCACHE_TEST_MAX_BODY");
	long long max_body = known ? atoll(known) : 0;
	struct raw_socket raw;

	requires_feature("limits");
	if (!known)
		cr_skip("STEADYCACHE_TEST_MAX_BODY is not set");
	/* Length announced: refused before it is read. */
	requires_feature("raw");
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(&raw,
			    "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %lld\r\n\r\n",
			    entry_path("k"), authorization(), max_body + 1);
	cr_assert_eq(raw_await_answer(&raw, ANSWER_MS), 413, "got: %s", raw.received);
	raw_close(&raw);
	/* Length not announced: cut off while it arrives. */
	cr_assert(raw_open(&raw, server_url));
	(void)raw_send_text(
		&raw, "PUT %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\n\r\n",
		entry_path("k"), authorization());
	for (long long sent = 0; sent <= max_body; sent += 4096)
		if (!raw_send_text(&raw, "1000\r\n%04096d\r\n", 0))
			break;
	(void)raw_send_text(&raw, "0\r\n\r\n");
	cr_assert_eq(raw_await_answer(&raw, ANSWER_MS), 413, "got: %s", raw.received);
	raw_close(&raw);
	expect_alive();
	expect_status(http_get(client, entry_path("k")), 404);
	/* At the limit. */
	if (max_body <= 64 * 1048576) {
		char *bytes = calloc(1, (size_t)max_body);

		expect_that(configure("'max_size_mb':200"), answer_->status / 100 == 2, "success");
		expect_status(http_put(client, entry_path("k"),
				       ((struct slice){bytes, (size_t)max_body})),
			      201);
		free(bytes);
	}
}

/* Thousands of requests with a few bytes changed, repeated, cut or inserted. */
Test(abuse, mutated_requests)
{
	unsigned state = 20240607;
	const char *seeds[] = {
		quoted("GET %s HTTP/1.1\r\nHost: localhost\r\n%sRange: bytes=0-3\r\nIf-None-Match: "
		       "\"a\"\r\n\r\n",
		       entry_path("k?x=1"), authorization()),
		quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: 5\r\nIf-Match: "
		       "*\r\n\r\nhello",
		       entry_path("a%2Fb?ttl=10"), authorization()),
		quoted("POST /api/batch/set HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: "
		       "100\r\n\r\n"
		       "{'cache_name':'%.20s','items':[{'key':'k\\u0000','value':'v','size':1.5e3}]"
		       "}"
		       "                                        ",
		       authorization(), ns),
		quoted("PUT %s HTTP/1.1\r\nHost: localhost\r\n%sTransfer-Encoding: chunked\r\n\r\n"
		       "5\r\nhello\r\n0\r\n\r\n",
		       entry_path("k"), authorization()),
		quoted("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
		       ns_path("?prefix=a&limit=3&cursor=x"), authorization()),
	};

	requires_feature("raw");
	for (size_t i = 0; i < 5; i++)
		seeds[i] = strdup(seeds[i]); /* quoted() keeps only the last ones */
	for (unsigned round = 0; round < 1200; round++) {
		struct raw_socket raw;
		char request[2048];
		size_t len = strlen(seeds[round % 5]);
		unsigned changes;

		cr_assert_lt(len, 1024);
		memcpy(request, seeds[round % 5], len + 1);
		state = state * 1664525 + 1013904223;
		changes = 1 + (state >> 28) % 6;
		for (unsigned i = 0; i < changes; i++) {
			size_t at, run;

			state = state * 1664525 + 1013904223;
			at = (state >> 8) % len;
			run = 1 + (state >> 4) % 12;
			run = run < len - at ? run : len - at;
			switch ((state >> 24) % 4) {
			case 0:
				request[at] = (char)(state >> 16);
				break;
			case 1: /* cut */
				memmove(request + at, request + at + run, len - at - run);
				len -= run;
				break;
			case 2: /* repeat */
				memmove(request + at + run, request + at, len - at);
				len += run;
				break;
			default:
				request[at] ^= (char)(1 << (state >> 16) % 8);
				break;
			}
			if (len == 0)
				break;
		}
		cr_assert(raw_open(&raw, server_url), "round %u: no connection", round);
		(void)raw_send(&raw, (struct slice){request, len});
		raw_shutdown(&raw);
		/* Any answer or none, but within the time. */
		if (raw_await_answer(&raw, ANSWER_MS) == 0)
			cr_assert(raw.closed, "round %u: neither answer nor close to %s", round,
				  percent_encode((struct slice){request, len}));
		raw_close(&raw);
		if (round % 500 == 499)
			expect_alive();
	}
	for (size_t i = 0; i < 5; i++)
		free((void *)(uintptr_t)seeds[i]);
}
