/* A request without a socket, for tests of the handlers. */
#ifndef STEADYCACHE_TEST_FAKE_REQUEST_H
#define STEADYCACHE_TEST_FAKE_REQUEST_H

#include "handlers/request.h"

#define FAKE_PAIRS_MAX 8

struct fake_pair {
	const char *name; /* NULL ends the list */
	const char *value;
};

/* Fill the two lists and `request` after fake_request_init. */
struct fake_request {
	struct request request;
	struct response response;
	struct fake_pair headers[FAKE_PAIRS_MAX + 1];
	struct fake_pair queries[FAKE_PAIRS_MAX + 1];
};

/* A GET without anything. `context` may be NULL where the code under test does not look at it. */
void fake_request_init(struct fake_request *fake, const struct handler_context *context);
/* Adds a header (or changes the value of the one of that name). */
void fake_request_header(struct fake_request *fake, const char *name, const char *value);
void fake_request_query(struct fake_request *fake, const char *name, const char *value);
/* Gives it a body (copied, unsealed, as the server hands it over). */
void fake_request_body(struct fake_request *fake, struct slice bytes, const char *content_type);
/* Releases body and response. */
void fake_request_deinit(struct fake_request *fake);

#endif
