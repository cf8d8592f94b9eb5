/* A small HTTP client for tests: one keep-alive connection, whole answers, and expectations that
 * print the request and the answer when they fail.
 *
 *     struct http_client *client = http_client_open(url, api_key);
 *     const struct http_answer *answer = http_put(client, "/cache/ns/k", SLICE("v"),
 *                                                 "Content-Type: text/css");
 *     expect_status(answer, 201);
 *     expect_header(http_get(client, "/cache/ns/k"), "Content-Type", "text/css");
 *
 * A client belongs to one thread. An answer belongs to its client and is valid for
 * HTTP_ANSWERS_KEPT further requests. The expectations are Criterion assertions: main thread
 * only. */
#ifndef STEADYCACHE_TEST_HTTP_CLIENT_H
#define STEADYCACHE_TEST_HTTP_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#define HTTP_ANSWERS_KEPT 16

struct http_client;

struct http_answer {
	long status; /* 0: no answer; `body` then has libcurl's error text */
	char *body;  /* NUL-terminated after `len` */
	size_t len;
	char *headers;     /* "Name\0value\0" pairs, an empty name at the end */
	char *request;     /* the request, for messages */
	bool continued;    /* "100 Continue" came first */
	bool reconnected;  /* it used a new connection */
	long http_version; /* CURL_HTTP_VERSION_... */
};

/* `api_key` may be NULL: no Authorization header. Both are copied. Never NULL. */
struct http_client *http_client_open(const char *url, const char *api_key);
/* NULL is allowed. Frees the client's answers too. */
void http_client_close(struct http_client *client);

void http_client_set_key(struct http_client *client, const char *api_key);
/* Speaks HTTP/1.0 from now on. */
void http_client_use_http10(struct http_client *client);
/* How long a request may take; 30 s by default. */
void http_client_set_timeout(struct http_client *client, long timeout_ms);

#define NO_BODY ((struct slice){.data = NULL, .len = 0})

/* Sends one request. `target` is path and query, sent unchanged (dots are not resolved). A body is
 * sent if body.data is not NULL. `headers` is a NULL-terminated list of "Name: value" (or "Name:"
 * to send none of that name) whose first element is skipped (see http_get). */
const struct http_answer *http_request(struct http_client *client, const char *method,
				       const char *target, struct slice body,
				       const char *const *headers);

/* The trailing arguments of these are header lines. */
#define HTTP_HEADERS(...) ((const char *const[]){"", ##__VA_ARGS__, NULL})
#define http_get(client, target, ...)                                                              \
	http_request(client, "GET", target, NO_BODY, HTTP_HEADERS(__VA_ARGS__))
#define http_head(client, target, ...)                                                             \
	http_request(client, "HEAD", target, NO_BODY, HTTP_HEADERS(__VA_ARGS__))
#define http_delete(client, target, ...)                                                           \
	http_request(client, "DELETE", target, NO_BODY, HTTP_HEADERS(__VA_ARGS__))
#define http_put(client, target, body, ...)                                                        \
	http_request(client, "PUT", target, body, HTTP_HEADERS(__VA_ARGS__))
#define http_post(client, target, body, ...)                                                       \
	http_request(client, "POST", target, body, HTTP_HEADERS(__VA_ARGS__))
#define http_post_json(client, target, json)                                                       \
	http_request(client, "POST", target, slice_of(json),                                       \
		     HTTP_HEADERS("Content-Type: application/json"))
#define http_put_json(client, target, json)                                                        \
	http_request(client, "PUT", target, slice_of(json),                                        \
		     HTTP_HEADERS("Content-Type: application/json"))

/* The value of a header (names ignore case), or NULL. Valid as long as the answer. */
const char *http_header(const struct http_answer *answer, const char *name);

static inline struct slice http_body(const struct http_answer *answer)
{
	return (struct slice){.data = answer->body, .len = answer->len};
}

/* The body as JSON (NUL characters allowed), or NULL if it is not JSON. The caller decrefs it. */
json_t *http_json(const struct http_answer *answer);

/* The formatted text, then request and answer, shortened and with unprintable bytes escaped. In
 * static storage of the thread. */
const char *http_explain(const struct http_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define expect_that(answer, condition, ...)                                                        \
	do {                                                                                       \
		const struct http_answer *answer_ = (answer);                                      \
		cr_assert(condition, "%s", http_explain(answer_, __VA_ARGS__));                    \
	} while (0)

#define expect_status(answer, expected)                                                            \
	do {                                                                                       \
		long expected_ = (expected);                                                       \
		expect_that(answer, answer_->status == expected_, "expected status %ld",           \
			    expected_);                                                            \
	} while (0)

#define expect_body(answer, expected)                                                              \
	do {                                                                                       \
		struct slice expected_ = (expected);                                               \
		expect_that(answer, slice_equal(http_body(answer_), expected_),                    \
			    "expected a body of %zu bytes: %.600s", expected_.len,                 \
			    expected_.len ? expected_.data : "");                                  \
	} while (0)

/* `expected` NULL: the header must be absent. */
#define expect_header(answer, name, expected)                                                      \
	do {                                                                                       \
		const char *wanted_ = (expected);                                                  \
		expect_that(answer, http_text_equal(http_header(answer_, name), wanted_),          \
			    "expected header %s: %s", name, wanted_ ? wanted_ : "(none)");         \
	} while (0)

/* Both NULL, or the same text. */
bool http_text_equal(const char *a, const char *b);

#endif
