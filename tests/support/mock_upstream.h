/* An upstream of the d1 backend under a test's control: it serves as a small Worker (POST /ops), as
 * the original one (POST /api), or fails in any of the ways of networks and servers.
 *
 * It listens on a free port of 127.0.0.1 with a thread for each connection. It counts every request
 * and keeps its head and body. All functions may be called while requests are in flight. */
#ifndef STEADYCACHE_TEST_MOCK_UPSTREAM_H
#define STEADYCACHE_TEST_MOCK_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>

struct mock_upstream;

enum mock_behaviour {
	MOCK_SERVE,    /* as the Worker does */
	MOCK_ORIGINAL, /* as the original Worker does: 404 for /ops */
	MOCK_ANSWER,   /* `status`, `headers`, `body` */
	MOCK_HANG,     /* says nothing until the mock gets another reply */
	MOCK_RESET,    /* reads the request, then breaks the connection */
	MOCK_TRUNCATE, /* half of `body`, then the end of the connection */
	MOCK_RUIN,     /* executes the request, then breaks the connection without an answer */
};

struct mock_reply {
	enum mock_behaviour behaviour;
	unsigned delay_ms; /* before the answer */
	int status;
	const char *headers; /* lines with their \r\n; NULL: none */
	const char *body;    /* NULL: empty */
};

/* Never NULL. Serves at once. */
struct mock_upstream *mock_open(void);
/* NULL is allowed. */
void mock_close(struct mock_upstream *mock);
const char *mock_url(const struct mock_upstream *mock);

/* From now on every request gets this reply. Hanging requests are released. The texts must outlive
 * the mock. */
void mock_always(struct mock_upstream *mock, struct mock_reply reply);
/* The next `times` requests get this reply, then the previous behaviour returns. */
void mock_next(struct mock_upstream *mock, unsigned times, struct mock_reply reply);
/* The next requests get these replies, one each, before mock_next and mock_always apply; up to 64.
 */
void mock_script(struct mock_upstream *mock, const struct mock_reply *replies, size_t count);

/* From now on requests whose head begins with `start` ("GET /path ") get this reply, if mock_next
 * has none for them. Replaces the one of an equal `start`; eight of them at most. */
void mock_at(struct mock_upstream *mock, const char *start, struct mock_reply reply);

/* Stops listening and breaks all connections; and listens on the same port again. */
void mock_go_down(struct mock_upstream *mock);
void mock_come_back(struct mock_upstream *mock);

/* The token that MOCK_SERVE and MOCK_ORIGINAL require; NULL: none. 401 without it. */
void mock_set_key(struct mock_upstream *mock, const char *key);

/* Requests received, and connections. */
unsigned mock_requests(struct mock_upstream *mock);
unsigned mock_connections(struct mock_upstream *mock);
/* How often `text` occurs in the bodies of all requests. */
unsigned mock_count(struct mock_upstream *mock, const char *text);
/* The body of request `i` (from 0), to be freed; NULL if it had none. */
char *mock_body(struct mock_upstream *mock, unsigned i);
/* Its head, from the request line to the empty line, to be freed too. */
char *mock_head(struct mock_upstream *mock, unsigned i);
/* Forgets the counts, heads and bodies. */
void mock_forget(struct mock_upstream *mock);

#endif
