#include "handlers/flight/single_flight.h"

#include <stdlib.h>

#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

int64_t flight_parse_seconds(const char *text)
{
	int64_t us = 0;
	size_t digits = 0;

	for (; *text >= '0' && *text <= '9' && digits < 9; text++, digits++)
		us = us * 10 + (*text - '0') * US_PER_S;
	if (digits > 0 && *text == '.') {
		int64_t unit = US_PER_S / 10;

		for (text++; *text >= '0' && *text <= '9' && unit > 0; text++, unit /= 10)
			us += (*text - '0') * unit;
	}
	return digits == 0 || *text ? -1 : us;
}

static bool check_time(const struct request *request, struct response *response, const char *name,
		       int64_t us, int max_s)
{
	if (us >= 0 && us <= max_s * US_PER_S)
		return true;
	respond_error(request, response, 400,
		      "\"%s\" must be a number of seconds from 0 to %d, with up to six decimals",
		      name, max_s);
	return false;
}

static void wake_request(struct flight_waiter *waiter)
{
	struct request *request = waiter->user;

	request->wake(request);
}

bool flight_visit_open(struct request *request, struct response *response, int64_t wait_us,
		       int64_t lease_us, const char *bind)
{
	struct flights *flights = request->context->flights;

	if (!check_time(request, response, "wait", wait_us, WAIT_MAX_S) ||
	    !check_time(request, response, "lease", lease_us, LEASE_MAX_S))
		return false;
	if (bind && (lease_us == 0 || strcmp(bind, "connection") != 0)) {
		respond_error(request, response, 400,
			      "\"bind\" must be \"connection\" and goes with \"lease\"");
		return false;
	}
	struct flight_visit *visit = calloc(1, sizeof(*visit));
	if (!visit) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return false;
	}
	visit->wait_until_us = wait_us > 0 ? monotonic_now_us() + wait_us : 0;
	visit->waiter = (struct flight_waiter){
		.key = flight_key_of(flights, request->op.ns, request->op.one.key),
		.wait_until_us = visit->wait_until_us,
		.lease_us = lease_us,
		.bind = bind != NULL,
		.owner = request->owner,
		.wake = wake_request,
		.user = request,
	};
	request->visit = visit;
	flight_visit_begin(flights);
	flight_look(flights, &visit->waiter);
	return true;
}

/* Makes the op another one on the same key. */
static void begin_op(struct request *request, enum cache_op_type type)
{
	struct cache_op *op = &request->op;
	struct slice ns = op->ns;
	struct slice key = op->one.key;

	cache_op_deinit(op);
	cache_op_init(op, type);
	op->ns = ns;
	op->one.key = key;
}

/* Fills the op for the same read once more. */
static enum handler_step read_again(struct request *request)
{
	struct flight_visit *visit = request->visit;

	begin_op(request, CACHE_OP_GET);
	request->op.serve_stale = true;
	request->op.takes_bodies = true;
	visit->waiter.wait_until_us = visit->wait_until_us;
	flight_look(request->context->flights, &visit->waiter);
	return STEP_SUBMIT;
}

/* Makes the op a read that has ended so. */
static void end_read(struct request *request, enum cache_status status, const char *detail,
		     unsigned retry_after_s)
{
	begin_op(request, CACHE_OP_GET);
	request->op.status = request->op.one.status = status;
	request->op.detail = detail;
	request->op.retry_after_s = retry_after_s;
}

/* By the token and not by has_lease: if the client has left, the library may close the connection
 * without another step of this request, which then never learnt of its lease. */
static void give_back(struct request *request)
{
	struct flight_visit *visit = request->visit;

	if (visit->waiter.token[0])
		(void)flight_give_back(request->context->flights, request->op.ns,
				       request->op.one.key, visit->waiter.token, NULL, NULL);
	visit->waiter.token[0] = '\0';
	visit->has_lease = false;
}

static bool has_left(const struct request *request)
{
	return request->source->has_left && request->source->has_left(request);
}

/* A miss, or why it cannot be handled, which becomes a failure of the op. */
static enum handler_step end_miss(struct request *request, enum flight_answer answer)
{
	const char *detail = NULL;

	if (answer == FLIGHT_STOPPING)
		detail = "the server is stopping; try again";
	else if (answer == FLIGHT_FULL)
		detail = "too many leases are out; try again later";
	else if (answer == FLIGHT_CROWDED)
		detail = "too many requests wait for values; try again later "
			 "(STEADYCACHE_MAX_CONNECTIONS)";
	if (detail)
		end_read(request, CACHE_UNAVAILABLE, detail, 1);
	else
		end_read(request, CACHE_NOT_FOUND, NULL, 0);
	return STEP_RESPOND;
}

/* Asks the store for the lease, or, if the request only waits, what it knows of one. */
static enum handler_step ask(struct request *request)
{
	struct flight_visit *visit = request->visit;

	begin_op(request, CACHE_OP_LEASE_TAKE);
	flight_look(request->context->flights, &visit->waiter);
	flight_fill_ask(request->context->flights, &visit->waiter, &request->op, visit->asked);
	visit->asks = true;
	return STEP_SUBMIT;
}

/* A stale entry is served at once, and nobody waits for it. Only the request that gets the lease
 * sees a miss, so that its client computes. (The store has counted a hit.) */
static enum handler_step after_stale_read(struct request *request)
{
	struct flight_visit *visit = request->visit;
	struct flight_waiter *waiter = &visit->waiter;
	struct cache_item *item = &request->op.one;

	if (!visit->has_lease && waiter->lease_us > 0) {
		waiter->wait_until_us = 0;
		enum flight_answer answer = flight_join(request->context->flights, waiter);
		if (answer == FLIGHT_READ_AGAIN)
			return read_again(request);
		if (answer == FLIGHT_ASK) {
			visit->stale = item->value;
			item->value = NULL;
			return ask(request);
		}
		visit->has_lease = answer == FLIGHT_LEASE;
	}
	if (visit->has_lease && has_left(request))
		give_back(request);
	return visit->has_lease ? end_miss(request, FLIGHT_MISS) : STEP_RESPOND;
}

/* No lease: the stale value is served after all. */
static enum handler_step serve_stale(struct request *request)
{
	struct flight_visit *visit = request->visit;

	end_read(request, CACHE_OK, NULL, 0);
	request->op.one.value = visit->stale;
	request->op.one.stale = true;
	visit->stale = NULL;
	return STEP_RESPOND;
}

/* The clocks of reads and leases differ by a moment: in it a value may be there for one and not for
 * the other. */
#define ASKS_IN_VAIN_MAX 8

static enum handler_step after_ask(struct request *request)
{
	struct flight_visit *visit = request->visit;
	const struct cache_op *op = &request->op;
	enum flight_answer answer = flight_asked(request->context->flights, &visit->waiter, op);
	bool is_in_vain = op->status == CACHE_OK && op->lease.outcome == LEASE_FRESH;

	visit->asks = false;
	visit->has_lease = answer == FLIGHT_LEASE;
	visit->asks_in_vain = is_in_vain ? visit->asks_in_vain + 1 : 0;
	if (answer == FLIGHT_PARKED)
		return STEP_WAIT;
	if (answer == FLIGHT_ASK)
		return ask(request);
	if (visit->has_lease && has_left(request))
		give_back(request);
	if (visit->asks_in_vain > ASKS_IN_VAIN_MAX)
		answer = FLIGHT_MISS;
	if (visit->stale && !visit->has_lease && answer != FLIGHT_READ_AGAIN)
		return serve_stale(request);
	cache_value_release(visit->stale);
	visit->stale = NULL;
	if (answer == FLIGHT_READ_AGAIN)
		return read_again(request);
	if (answer != FLIGHT_FAILED)
		return end_miss(request, answer);
	end_read(request, op->status, op->detail, op->retry_after_s);
	return STEP_RESPOND;
}

enum handler_step flight_visit_after_read(struct request *request)
{
	struct flight_visit *visit = request->visit;

	if (visit->asks)
		return after_ask(request);
	if (request->op.status == CACHE_OK && request->op.one.stale)
		return after_stale_read(request);
	if ((request->op.status == CACHE_UNAVAILABLE || request->op.status == CACHE_TIMEOUT) &&
	    !visit->has_lease &&
	    flight_read_failed(request->context->flights, &visit->waiter) == FLIGHT_PARKED)
		return STEP_WAIT;
	if (request->op.status != CACHE_NOT_FOUND) {
		/* The value was stored past this server, and all who wait here must learn of it. */
		if (request->op.status == CACHE_OK && visit->has_lease)
			flight_value_found(request->context->flights, visit->waiter.key);
		give_back(request); /* there is nothing to compute, or no way to know */
		return STEP_RESPOND;
	}
	if (visit->has_lease) {
		if (has_left(request))
			give_back(request);
		return STEP_RESPOND;
	}
	enum flight_answer answer = flight_join(request->context->flights, &visit->waiter);
	visit->has_lease = answer == FLIGHT_LEASE;
	switch (answer) {
	case FLIGHT_PARKED:
		return STEP_WAIT;
	case FLIGHT_READ_AGAIN:
		return read_again(request);
	case FLIGHT_ASK:
		return ask(request);
	default:
		return end_miss(request, answer);
	}
}

enum handler_step flight_visit_after_wait(struct request *request)
{
	struct flight_visit *visit = request->visit;

	if (visit->waiter.end == FLIGHT_LEFT)
		return STEP_RESPOND; /* to nobody */
	if (visit->waiter.end == FLIGHT_TURN)
		return ask(request);
	visit->has_lease = visit->waiter.end == FLIGHT_GRANTED;
	return read_again(request);
}

/* If the client has left, the library may close the connection without another step, and so
 * without the answer to what was asked. */
static void end_asking(struct request *request)
{
	struct flights *flights = request->context->flights;
	struct flight_visit *visit = request->visit;

	visit->waiter.wait_until_us = 0;
	if (visit->asks)
		(void)flight_asked(flights, &visit->waiter, &request->op);
	else if (visit->waiter.has_turn)
		flight_pass_turn(flights, &visit->waiter);
	cache_value_release(visit->stale);
}

void flight_visit_close(struct request *request, bool delivered)
{
	if (!request->visit)
		return;
	end_asking(request);
	if (!delivered)
		give_back(request);
	flight_visit_end(request->context->flights);
	free(request->visit);
	request->visit = NULL;
}

bool flight_lease_check_token(const struct request *request, struct response *response,
			      struct slice token)
{
	size_t digits = 0;

	while (digits < token.len && memchr("0123456789abcdef", token.data[digits], 16))
		digits++;
	if (digits == LEASE_TOKEN_LEN && digits == token.len)
		return true;
	respond_error(request, response, 400,
		      "the lease must be a token as a miss gave it: %d hexadecimal digits",
		      LEASE_TOKEN_LEN);
	return false;
}

/* RELEASE_UNKNOWN too if it is not of the right form. */
static enum flight_release release(const struct request *request, const struct named_lease *lease,
				   char token[static LEASE_TOKEN_LEN + 1])
{
	struct flights *flights = request->context->flights;

	if (!flights || lease->token.len != LEASE_TOKEN_LEN)
		return RELEASE_UNKNOWN;
	memcpy(token, lease->token.data, lease->token.len);
	token[LEASE_TOKEN_LEN] = '\0';
	return flight_release(flights, lease->ns, lease->key, token);
}

enum flight_release flight_lease_release(struct request *request, const struct named_lease *lease)
{
	char token[LEASE_TOKEN_LEN + 1];
	enum flight_release answer = release(request, lease, token);

	if (answer != RELEASE_ASK)
		return answer;
	cache_op_init(&request->op, CACHE_OP_LEASE_END);
	request->op.ns = lease->ns;
	request->op.one.key = lease->key;
	request->op.lease.token = lease->token;
	return answer;
}

static bool is_final_refusal(unsigned status)
{
	switch (status) {
	case 400:
	case 403:
	case 409:
	case 412:
	case 413:
	case 414:
	case 415:
	case 507:
		return true;
	default: /* 401, 429, 503, 504: the same request may still succeed */
		return false;
	}
}

static void wake_refused(void *user)
{
	struct request *request = user;

	request->wake(request);
}

bool flight_lease_end_refused(struct request *request, const struct handler *handler,
			      unsigned status, bool waits)
{
	struct named_lease lease;
	char token[LEASE_TOKEN_LEN + 1];

	return handler->lease && is_final_refusal(status) && handler->lease(request, &lease) &&
	       release(request, &lease, token) == RELEASE_ASK &&
	       flight_give_back(request->context->flights, lease.ns, lease.key, token,
				waits ? wake_refused : NULL, request) &&
	       waits;
}

const char *flight_lease_of(const struct request *request)
{
	return request->visit && request->visit->has_lease ? request->visit->waiter.token : NULL;
}
