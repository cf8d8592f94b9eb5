/* Single flight as a request sees it: what it asked for, and its way from a miss to an answer. */
#ifndef STEADYCACHE_HANDLERS_SINGLE_FLIGHT_H
#define STEADYCACHE_HANDLERS_SINGLE_FLIGHT_H

#include "handlers/flight/flight.h"
#include "handlers/respond/request.h"

#define WAIT_MAX_S  300
#define LEASE_MAX_S 3600

/* request->visit of a read that asked to wait or for a lease. */
struct flight_visit {
	struct flight_waiter waiter;
	bool has_lease; /* waiter.token is the request's */
};

/* Seconds as decimal text, in microseconds: digits, and up to six decimals. -1: no such number. */
int64_t flight_parse_seconds(const char *text);
/* Opens a visit for the read in request->op (its ns and key are set). `wait_us` and `lease_us`: 0
 * where they were not asked for, -1 where what came is no number of seconds; `bind` as it came, or
 * NULL. False: answered with 400 (or 503: no memory). */
bool flight_visit_open(struct request *request, struct response *response, int64_t wait_us,
		       int64_t lease_us, const char *bind);
/* After the read of the visit has come back: STEP_RESPOND, STEP_SUBMIT (read again), STEP_WAIT. */
enum handler_step flight_visit_after_read(struct request *request);
/* After it was woken: STEP_SUBMIT or STEP_RESPOND. */
enum handler_step flight_visit_after_wait(struct request *request);
/* Ends the visit at the end of the request. `delivered`: the answer went out as a whole; else the
 * lease goes on to the next. */
void flight_visit_close(struct request *request, bool delivered);

/* Whether `token` has the form of a lease's, which is all that a write asks of it: a set ends
 * whatever lease is out on its key, and a late one is as good. False: answered with 400. */
bool flight_lease_check_token(const struct request *request, struct response *response,
			      struct slice token);
/* Ends a lease, without touching the entry. False: this server never gave it; true where it is over
 * already. */
bool flight_lease_release(const struct request *request, const struct named_lease *lease);
/* Ends the lease that a write names which was answered with `status`, where that refuses it for
 * good: he who computed cannot store it, so the next one is to try. Nothing where the same request
 * may succeed later, or where it succeeded. Once for a request, before its answer goes out. */
void flight_lease_end_refused(const struct request *request, const struct handler *handler,
			      unsigned status);
/* The lease that this read got, or NULL. */
const char *flight_lease_of(const struct request *request);

#endif
