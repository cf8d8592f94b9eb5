/* An upstream of the d1 backend that does what a test tells it: serves as a small Worker (POST
 * /ops), as the original one (POST /api), or fails in any of the ways that networks and servers
 * have.
 *
 * It listens on a free port of 127.0.0.1 with a thread for each connection. Every request is
 * counted and its head and body kept. All functions may be called while requests are under way. */
#ifndef STEADYCACHE_TEST_MOCK_UPSTREAM_H
#define STEADYCACHE_TEST_MOCK_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>

struct mock_upstream;

enum mock_behaviour {
	MOCK_SERVE,    /* as the Worker does */
	MOCK_ORIGINAL, /* as the original Worker does: 404 for /ops */
	MOCK_ANSWER,   /* `status`, `headers`, `body` */
	MOCK_HANG,     /* says nothing until the mock goes on to something else */
	MOCK_RESET,    /* reads the request, then breaks the connection off */
	MOCK_TRUNCATE, /* half of `body`, then the end of the connection */
	MOCK_RUIN,     /* does what was asked, then breaks the connection off without an answer */
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
/* NULL is fine. */
void mock_close(struct mock_upstream *mock);
const char *mock_url(const struct mock_upstream *mock);

/* From now on every request gets this. What hangs is let go. The texts must outlive the mock. */
void mock_always(struct mock_upstream *mock, struct mock_reply reply);
/* The next `times` requests get this, then things go on as before. */
void mock_next(struct mock_upstream *mock, unsigned times, struct mock_reply reply);

/* Stops listening and breaks all connections off; and listens on the same port again. */
void mock_go_down(struct mock_upstream *mock);
void mock_come_back(struct mock_upstream *mock);

/* The token that MOCK_SERVE and MOCK_ORIGINAL want; NULL: none. 401 without. */
void mock_set_key(struct mock_upstream *mock, const char *key);

/* Requests that came, and connections. */
unsigned mock_requests(struct mock_upstream *mock);
unsigned mock_connections(struct mock_upstream *mock);
/* How often `text` stands in the bodies of all requests. */
unsigned mock_count(struct mock_upstream *mock, const char *text);
/* The body of request `i` (from 0), to be freed; NULL where there was none. */
char *mock_body(struct mock_upstream *mock, unsigned i);
/* Its head, from the request line to the empty line, likewise. */
char *mock_head(struct mock_upstream *mock, unsigned i);
/* Forgets what was counted and kept. */
void mock_forget(struct mock_upstream *mock);

#endif
