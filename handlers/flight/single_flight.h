/* Single flight from a request's point of view: what it asked for, and its way from a miss to an
 * answer. */
#ifndef STEADYCACHE_HANDLERS_SINGLE_FLIGHT_H
#define STEADYCACHE_HANDLERS_SINGLE_FLIGHT_H

#include "handlers/flight/flight.h"
#include "handlers/respond/request.h"

#define WAIT_MAX_S 300

/* request->visit of a read that asked to wait or for a lease. */
struct flight_visit {
	struct flight_waiter waiter;
	int64_t wait_until_us;     /* the waiter's, but where it is not to wait */
	bool has_lease;            /* the request has the lease waiter.token */
	bool asks;                 /* the op in progress asks the store for the lease ... */
	unsigned asks_in_vain;     /* ... which said that there is a value, and there was none */
	struct cache_value *stale; /* ... while this could be served */
	char asked[LEASE_TOKEN_LEN + 1];
};

/* Parses decimal seconds into microseconds: digits, and up to six decimals. -1: not such a
 * number. */
int64_t flight_parse_seconds(const char *text);
/* Opens a visit for the read in request->op (its ns and key are set). `wait_us` and `lease_us`: 0
 * if not asked for, -1 if the given text is not a number of seconds; `bind` as given, or NULL.
 * False: answered with 400 (or 503: out of memory). */
bool flight_visit_open(struct request *request, struct response *response, int64_t wait_us,
		       int64_t lease_us, const char *bind);
/* Call it when the op of the visit has completed: STEP_RESPOND, STEP_SUBMIT (read again, or ask the
 * store for a lease), STEP_WAIT. */
enum handler_step flight_visit_after_read(struct request *request);
/* Call it after the request was woken: STEP_SUBMIT or STEP_RESPOND. */
enum handler_step flight_visit_after_wait(struct request *request);
/* Ends the visit at the end of the request. `delivered`: the whole answer was sent; otherwise the
 * lease passes to the next waiter. */
void flight_visit_close(struct request *request, bool delivered);

/* Whether `token` has the form of a lease's token. A write is not checked further: a set ends any
 * lease on its key, and a late one is stored all the same. False: answered with 400. */
bool flight_lease_check_token(const struct request *request, struct response *response,
			      struct slice token);
/* Ends a lease that a client gives back, without touching the entry; RELEASE_ASK: the op is filled
 * that does it. */
enum flight_release flight_lease_release(struct request *request, const struct named_lease *lease);
/* Ends the lease that a write names if the write was answered with `status` and that refuses it for
 * good: its value cannot be stored, so the next waiter must try. Does nothing if the write
 * succeeded or the same request may succeed later. Call it once for a request, before its answer is
 * sent. True, only if `waits`: request->wake will be called when the lease has ended; until then
 * the request must stay, and its answer should. */
bool flight_lease_end_refused(struct request *request, const struct handler *handler,
			      unsigned status, bool waits);
/* The lease that this read got, or NULL. */
const char *flight_lease_of(const struct request *request);

#endif
