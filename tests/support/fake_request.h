/* A request without a socket, and a backend that answers when the test says so: for tests of the
 * handlers.
 *
 *     fake_request_init(&fake);
 *     fake.request.ns = SLICE("n");
 *     if (fake_request_start(&fake, &handler_entry_get) == STEP_SUBMIT)
 *             fake_request_finish(&fake, CACHE_NOT_FOUND);
 *     ... look at fake.response ...
 *     fake_request_close(&fake); */
#ifndef STEADYCACHE_TEST_FAKE_REQUEST_H
#define STEADYCACHE_TEST_FAKE_REQUEST_H

#include "handlers/respond/request.h"

#define FAKE_PAIRS_MAX   8
#define FAKE_ANSWERS_MAX 8

struct fake_pair {
	const char *name; /* NULL ends the list */
	const char *value;
};

struct fake_request {
	struct request request; /* fill it after fake_request_init */
	struct response response;
	const struct handler *handler; /* NULL: not started */
	struct fake_pair headers[FAKE_PAIRS_MAX + 1];
	struct fake_pair queries[FAKE_PAIRS_MAX + 1];
};

/* The context of fake requests: small limits, a backend that holds every op, a clock that the test
 * moves. */
extern struct handler_context fake_context;
extern int64_t fake_now_us;
/* The server's own figures, and the answers that it has given. */
extern struct server_figures fake_figures;
extern struct process_figures fake_process;
extern struct answer_count fake_answers[FAKE_ANSWERS_MAX]; /* those with a count */
extern struct route_latency fake_latency;                  /* if it has a route */
extern struct operation_count fake_operations[FAKE_ANSWERS_MAX];
/* The op that the backend holds, or NULL. */
extern struct cache_op *held_op;

/* A GET without anything. */
void fake_request_init(struct fake_request *fake);
/* Adds a header, or changes the value of the one of that name. */
void fake_request_header(struct fake_request *fake, const char *name, const char *value);
/* Adds another header line, even if one of that name exists. */
void fake_request_more(struct fake_request *fake, const char *name, const char *value);
void fake_request_query(struct fake_request *fake, const char *name, const char *value);
/* Gives it a body (copied, unsealed, as the server passes it on). */
void fake_request_body(struct fake_request *fake, struct slice bytes, const char *content_type);

/* Calls the handler's start and, if that says so, hands the op to the backend. */
enum handler_step fake_request_start(struct fake_request *fake, const struct handler *handler);
/* The backend completes the op, and the handler finishes. */
void fake_request_finish(struct fake_request *fake, enum cache_status status);
/* Ends the request as the server does: clean-up, then everything is released. A held op is
 * completed first. */
void fake_request_close(struct fake_request *fake);

/* The value of a header of the response, or NULL. */
const char *fake_response_header(const struct fake_request *fake, const char *name);
/* The body of the response, of whatever kind. */
struct slice fake_response_body(const struct fake_request *fake);

#endif
