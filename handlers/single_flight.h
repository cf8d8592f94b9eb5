/* Single flight as a request sees it: what it asked for, and its way from a miss to an answer. */
#ifndef STEADYCACHE_HANDLERS_SINGLE_FLIGHT_H
#define STEADYCACHE_HANDLERS_SINGLE_FLIGHT_H

#include "handlers/flight.h"
#include "handlers/handlers.h"

#define WAIT_MAX_S  300
#define LEASE_MAX_S 3600

/* request->visit of a read that asked to wait or for a lease. */
struct flight_visit {
	struct flight_waiter waiter;
	bool has_lease; /* waiter.token is the request's */
};

/* Opens a visit for the read in request->op (its ns and key are set). `wait_s` and `lease_s` are
 * decimal numbers as text, or NULL where they were not asked for. False: answered. */
bool flight_visit_open(struct request *request, struct response *response, const char *wait_s,
		       const char *lease_s, const char *bind);
/* After the read of the visit has come back: STEP_RESPOND, STEP_SUBMIT (read again), STEP_WAIT. */
enum handler_step flight_visit_after_read(struct request *request);
/* After it was woken: STEP_SUBMIT or STEP_RESPOND. */
enum handler_step flight_visit_after_wait(struct request *request);
/* Ends the visit at the end of the request. `delivered`: the answer went out as a whole; else the
 * lease goes on to the next. */
void flight_visit_close(struct request *request, bool delivered);

/* Checks a token that came with a write of request->op's key. False: answered with 400 (malformed)
 * or 412 (another key's). One that has lapsed is fine. */
bool lease_token_check(const struct request *request, struct response *response,
		       const char *token);
/* The lease that this read got, or NULL. */
const char *lease_token_of(const struct request *request);

#endif
