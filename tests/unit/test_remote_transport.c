/* The transport over libcurl: what of a request is sent, and what of an answer is received. One
 * thread; the mock upstream has its own. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/remote/protocol.h"
#include "backends/remote/settings.h"
#include "backends/remote/transport.h"
#include "backends/remote/transport_curl.h"
#include "base/clock.h"
#include "store/backend.h"
#include "tests/support/mock_upstream.h"

static struct mock_upstream *mock;
static struct remote_settings settings;
static struct remote_transport *transport;

static struct {
	bool is_done;
	struct remote_answer answer;
	char type[64]; /* its header X-Type; empty: none */
} got;

static void open_both(void)
{
	static const char *const headers[] = {"Content-Type: text/x-shared", NULL};
	static const struct remote_protocol protocol = {.headers = headers,
							.answer_max_bytes = 1000};
	static char authorization[] = "Authorization: Bearer secret";

	mock = mock_open();
	settings = (struct remote_settings){
		.base_url = strdup(mock_url(mock)),
		.authorization = strdup(authorization),
		.max_in_flight = 4,
		.connect_timeout_us = US_PER_S,
	};
	transport = remote_transport_curl_open(&settings, &protocol, NULL);
	cr_assert(transport);
	memset(&got, 0, sizeof(got));
}

static void close_both(void)
{
	transport->ops->close(transport);
	remote_settings_deinit(&settings);
	mock_close(mock);
	buffer_deinit(&got.answer.body);
}

TestSuite(remote_transport, .init = open_both, .fini = close_both, .timeout = 60);

static void note_answer(void *user, struct remote_answer *answer)
{
	const char *type = answer->header(answer, "x-type");

	(void)user;
	cr_assert_not(got.is_done);
	(void)snprintf(got.type, sizeof(got.type), "%s", type ? type : "");
	got.is_done = true;
	got.answer = *answer;
	answer->body = (struct buffer){0};
}

static struct remote_request request(const char *method, const char *path, const char *body)
{
	struct remote_request made = {
		.method = method,
		.path = path,
		.is_repeatable = true,
		.timeout_us = 5 * US_PER_S,
		.done = note_answer,
	};

	buffer_append(&made.body, slice_of(body));
	return made;
}

static void ask(struct remote_request asked)
{
	buffer_deinit(&got.answer.body);
	memset(&got, 0, sizeof(got));
	cr_assert(transport->ops->submit(transport, &asked));
	while (!got.is_done)
		transport->ops->wait(transport, 100000);
}

static void expect_head(unsigned i, const char *begin, const char *const *lines)
{
	char *head = mock_head(mock, i);

	cr_assert(head);
	cr_expect_eq(strncmp(head, begin, strlen(begin)), 0, "%s", head);
	for (; *lines; lines++)
		cr_expect(strcasestr(head, *lines), "no %s in:\n%s", *lines, head);
	free(head);
}

static void expect_body(unsigned i, const char *text)
{
	char *body = mock_body(mock, i);

	cr_expect_str_eq(body, text);
	free(body);
}

static void answer_always(int status, const char *headers, const char *body)
{
	mock_always(mock, (struct mock_reply){.behaviour = MOCK_ANSWER,
					      .status = status,
					      .headers = headers,
					      .body = body});
}

Test(remote_transport, methods_bodies_and_headers)
{
	static const struct cache_trace trace = {.request_id = "r-1"};
	static const char *const shared[] = {"\r\nContent-Type: text/x-shared\r\n",
					     "\r\nAuthorization: Bearer secret\r\n", NULL};
	static const char *const own[] = {"\r\nContent-Type: text/x-shared\r\n",
					  "\r\nX-Signature: s1\r\n", "\r\nX-Request-Id: r-1\r\n",
					  "\r\nContent-Length: 3\r\n", NULL};

	answer_always(200, "X-Type: t\r\n", "hello");
	ask(request("POST", "/a", "body"));
	expect_head(0, "POST /a HTTP/1.1\r\n", shared);
	expect_body(0, "body");
	cr_expect_eq(got.answer.failure, FAILURE_NONE);
	cr_expect_eq(got.answer.status, 200);
	cr_expect(slice_equal(buffer_bytes(&got.answer.body), SLICE("hello")));
	cr_expect_str_eq(got.type, "t");
	cr_expect_eq(got.answer.retry_after_s, -1);

	struct remote_request put = request("PUT", "/b?x=1", "abc");
	remote_request_add_header(&put, "X-Signature", SLICE("s1"));
	put.trace = &trace;
	ask(put);
	expect_head(1, "PUT /b?x=1 HTTP/1.1\r\n", own);
	expect_body(1, "abc");

	ask(request("GET", "/c", ""));
	expect_head(2, "GET /c HTTP/1.1\r\n", shared);
	expect_body(2, "");
	ask(request("DELETE", "/d", ""));
	expect_head(3, "DELETE /d HTTP/1.1\r\n", shared);
	ask(request("POST", "/e", ""));
	expect_head(4, "POST /e HTTP/1.1\r\n", (const char *const[]){"Content-Length: 0", NULL});
	struct remote_request once = request("PUT", "/f", "once");
	once.is_repeatable = false;
	ask(once);
	expect_head(5, "PUT /f HTTP/1.1\r\n", shared);
	expect_body(5, "once");
	cr_expect_eq(mock_connections(mock), 1, "one connection is kept");
}

Test(remote_transport, a_head_has_no_body)
{
	answer_always(200, "X-Type: t\r\nConnection: close\r\n", NULL);
	ask(request("HEAD", "/a", ""));
	expect_head(0, "HEAD /a HTTP/1.1\r\n", (const char *const[]){NULL});
	cr_expect_eq(got.answer.status, 200);
	cr_expect_str_eq(got.type, "t");
}

Test(remote_transport, failures)
{
	answer_always(503, "Retry-After: 7\r\n", "wait");
	ask(request("POST", "/a", "x"));
	cr_expect_eq(got.answer.failure, FAILURE_NONE);
	cr_expect_eq(got.answer.status, 503);
	cr_expect_eq(got.answer.retry_after_s, 7);
	cr_expect_str_eq(got.type, "");

	mock_always(mock, (struct mock_reply){.behaviour = MOCK_HANG});
	struct remote_request slow = request("POST", "/a", "x");
	slow.timeout_us = 50000;
	ask(slow);
	cr_expect_eq(got.answer.failure, FAILURE_TIMEOUT);
	cr_expect(got.answer.reached);

	mock_always(mock, (struct mock_reply){.behaviour = MOCK_RESET});
	struct remote_request once = request("POST", "/a", "x");
	once.is_repeatable = false;
	ask(once);
	cr_expect_eq(got.answer.failure, FAILURE_RESET);
	cr_expect(got.answer.reached);

	mock_go_down(mock);
	ask(request("POST", "/a", "x"));
	cr_expect_eq(got.answer.failure, FAILURE_CONNECT);
	cr_expect_not(got.answer.reached);
}

Test(remote_transport, an_answer_larger_than_the_protocol_takes_is_refused)
{
	char large[1200];

	memset(large, 'x', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	answer_always(200, NULL, large);
	ask(request("POST", "/a", "x"));
	cr_expect_eq(got.answer.failure, FAILURE_BAD_ANSWER);
}

static void *wake_up(void *arg)
{
	(void)arg;
	transport->ops->wake(transport);
	return NULL;
}

Test(remote_transport, another_thread_ends_a_wait)
{
	pthread_t thread;
	int64_t began_us = monotonic_now_us();

	cr_assert_eq(pthread_create(&thread, NULL, wake_up, NULL), 0);
	transport->ops->wait(transport, 50 * US_PER_S);
	(void)pthread_join(thread, NULL);
	cr_expect_lt(monotonic_now_us() - began_us, 40 * US_PER_S);
}

Test(remote_transport, closing_forgets_what_is_under_way)
{
	mock_always(mock, (struct mock_reply){.behaviour = MOCK_HANG});
	struct remote_request asked = request("POST", "/a", "x");
	cr_assert(transport->ops->submit(transport, &asked));
	transport->ops->wait(transport, 1000);
	cr_expect_not(got.is_done);
}
