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
	visit->waiter = (struct flight_waiter){
		.key = flight_key_of(flights, request->op.ns, request->op.one.key),
		.wait_until_us = wait_us > 0 ? monotonic_now_us() + wait_us : 0,
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

/* Fills the op for the same read once more. */
static enum handler_step read_again(struct request *request)
{
	struct cache_op *op = &request->op;
	struct slice ns = op->ns;
	struct slice key = op->one.key;

	cache_op_deinit(op);
	cache_op_init(op, CACHE_OP_GET);
	op->ns = ns;
	op->one.key = key;
	op->serve_stale = true;
	flight_look(request->context->flights, &request->visit->waiter);
	return STEP_SUBMIT;
}

/* By the token and not by has_lease: if the client has left, the library may close the connection
 * without another step of this request, which then never learnt of its lease. */
static void give_back(struct request *request)
{
	struct flight_visit *visit = request->visit;

	if (visit->waiter.token[0])
		(void)flight_release(request->context->flights, visit->waiter.key,
				     visit->waiter.token);
	visit->waiter.token[0] = '\0';
	visit->has_lease = false;
}

/* A miss that cannot be handled becomes a failure of the op. */
static void fail(struct request *request, const char *detail)
{
	request->op.status = CACHE_UNAVAILABLE;
	request->op.detail = detail;
	request->op.retry_after_s = 1;
}

/* A stale entry is served at once, and nobody waits for it. Only the request that gets the lease
 * sees a miss, so that its client computes. (The store has counted a hit.) */
static enum handler_step after_stale_read(struct request *request)
{
	struct flight_visit *visit = request->visit;
	struct flight_waiter *waiter = &visit->waiter;
	struct cache_item *item = &request->op.one;

	if (!visit->has_lease && waiter->lease_us > 0) {
		int64_t wait_until_us = waiter->wait_until_us;

		waiter->wait_until_us = 0;
		enum flight_answer answer = flight_join(request->context->flights, waiter);
		waiter->wait_until_us = wait_until_us;
		if (answer == FLIGHT_READ_AGAIN)
			return read_again(request);
		visit->has_lease = answer == FLIGHT_LEASE;
	}
	if (visit->has_lease && request->source->has_left && request->source->has_left(request))
		give_back(request);
	if (!visit->has_lease)
		return STEP_RESPOND;
	cache_value_release(item->value);
	item->value = NULL;
	item->stale = false;
	item->status = CACHE_NOT_FOUND;
	request->op.status = CACHE_NOT_FOUND;
	return STEP_RESPOND;
}

enum handler_step flight_visit_after_read(struct request *request)
{
	struct flight_visit *visit = request->visit;

	if (request->op.status == CACHE_OK && request->op.one.stale)
		return after_stale_read(request);
	if (request->op.status != CACHE_NOT_FOUND) {
		/* The value was stored past this server, and all who wait here must learn of it. */
		if (request->op.status == CACHE_OK && visit->has_lease)
			flight_value_came(request->context->flights, &request->op);
		give_back(request); /* there is nothing to compute, or no way to know */
		return STEP_RESPOND;
	}
	if (visit->has_lease) {
		if (request->source->has_left && request->source->has_left(request))
			give_back(request);
		return STEP_RESPOND;
	}
	switch (flight_join(request->context->flights, &visit->waiter)) {
	case FLIGHT_MISS:
		break;
	case FLIGHT_LEASE:
		visit->has_lease = true;
		break;
	case FLIGHT_PARKED:
		return STEP_WAIT;
	case FLIGHT_READ_AGAIN:
		return read_again(request);
	case FLIGHT_STOPPING:
		fail(request, "the server is stopping; try again");
		break;
	case FLIGHT_FULL:
		fail(request, "too many leases are out; try again later");
		break;
	case FLIGHT_CROWDED:
		fail(request, "too many requests wait for values; try again later "
			      "(STEADYCACHE_MAX_CONNECTIONS)");
		break;
	}
	return STEP_RESPOND;
}

enum handler_step flight_visit_after_wait(struct request *request)
{
	struct flight_visit *visit = request->visit;

	if (visit->waiter.end == FLIGHT_LEFT)
		return STEP_RESPOND; /* to nobody */
	visit->has_lease = visit->waiter.end == FLIGHT_GRANTED;
	return read_again(request);
}

void flight_visit_close(struct request *request, bool delivered)
{
	if (!request->visit)
		return;
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

bool flight_lease_release(const struct request *request, const struct named_lease *lease)
{
	struct flights *flights = request->context->flights;
	char text[LEASE_TOKEN_LEN + 1] = "";

	if (!flights || lease->token.len != LEASE_TOKEN_LEN)
		return false;
	memcpy(text, lease->token.data, lease->token.len);
	return flight_release(flights, flight_key_of(flights, lease->ns, lease->key), text) !=
	       RELEASE_UNKNOWN;
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

void flight_lease_end_refused(const struct request *request, const struct handler *handler,
			      unsigned status)
{
	struct named_lease lease;

	if (handler->lease && is_final_refusal(status) && handler->lease(request, &lease))
		(void)flight_lease_release(request, &lease);
}

const char *flight_lease_of(const struct request *request)
{
	return request->visit && request->visit->has_lease ? request->visit->waiter.token : NULL;
}
