/* Clients that send a request in two parts, the second of which the kernel holds back (Nagle's
 * algorithm) until the first is acknowledged: they must not wait for a delayed acknowledgement. */
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/process/scene.h"

PROCESS_SUITE(nagle);

#define BODY_LEN 2800
#define ROUNDS   15
/* Linux delays an acknowledgement by 40 ms. Times are compared with those of requests in one part,
 * which a busy machine slows down as well. */
#define ALLOWED_US 20000

static int compare(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int64_t median(int64_t *times_us)
{
	qsort(times_us, ROUNDS, sizeof(*times_us), compare);
	return times_us[ROUNDS / 2];
}

/* On a connection that has had an answer: only then does the kernel expect that the next one will
 * carry the acknowledgement. */
static int64_t time_put(struct raw_socket *raw, const char *framing, struct slice body,
			bool is_in_parts)
{
	char head[300], whole[sizeof(head) + BODY_LEN + 20];
	int head_len =
		snprintf(head, sizeof(head),
			 "PUT /cache/ns/k HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", framing);

	(void)raw_send_text(raw, "GET /cache/ns/none HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_assert_eq(raw_await_answer(raw, 10000), 404);
	int64_t began_us = monotonic_now_us();
	if (is_in_parts) {
		(void)raw_send(raw, (struct slice){.data = head, .len = (size_t)head_len});
		(void)raw_send(raw, body);
	} else {
		memcpy(whole, head, (size_t)head_len);
		memcpy(whole + head_len, body.data, body.len);
		(void)raw_send(raw,
			       (struct slice){.data = whole, .len = (size_t)head_len + body.len});
	}
	int status = raw_await_answer(raw, 10000);
	cr_assert(status == 201 || status == 204, "%d", status);
	return monotonic_now_us() - began_us;
}

static void expect_no_wait(const char *framing, struct slice body)
{
	int64_t apart_us[ROUNDS], whole_us[ROUNDS];
	struct raw_socket raw;
	const int off = 0;

	cr_assert(raw_open(&raw, scene.server.url));
	cr_assert_eq(setsockopt(raw.fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		apart_us[i] = time_put(&raw, framing, body, true);
		whole_us[i] = time_put(&raw, framing, body, false);
	}
	raw_close(&raw);
	int64_t apart = median(apart_us), whole = median(whole_us);
	cr_expect_lt(apart, whole + ALLOWED_US, "%s: %lld us in two parts, %lld us in one", framing,
		     (long long)apart, (long long)whole);
}

Test(nagle, a_body_behind_its_head_comes_at_once)
{
	static char bytes[BODY_LEN], chunk[BODY_LEN + 20];

	memset(bytes, 'b', sizeof(bytes));
	scene_start();
	expect_no_wait("Content-Length: 2800", (struct slice){.data = bytes, .len = sizeof(bytes)});
	int len = snprintf(chunk, sizeof(chunk), "%x\r\n%.*s\r\n0\r\n\r\n", BODY_LEN, BODY_LEN,
			   bytes);
	expect_no_wait("Transfer-Encoding: chunked",
		       (struct slice){.data = chunk, .len = (size_t)len});
	scene_stop();
}
