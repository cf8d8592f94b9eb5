#include "server/http/exchange.h"

#include "handlers/flight/single_flight.h"
#include "handlers/respond/error.h"
#include "server/http/admit.h"
#include "server/http/answer.h"
#include "server/http/answer_body.h"
#include "server/http/aside.h"
#include "server/http/exchange_handler.h"
#include "server/http/exchange_op.h"
#include "server/http/exchange_state.h"
#include "server/http/upload.h"
#include "server/log/request_log.h"

/* Limit of all large answers together: 512 MB. */
#define ANSWERS_MAX_BYTES ((size_t)512 << 20)

/* ---- The answer ---- */

/* A large answer stays in memory until its reader has it: all of them together are limited, but a
 * single one is always allowed. */
static void count_answer(struct exchange *exchange)
{
	struct response *response = &exchange->response;
	atomic_size_t *all = &exchange->shared->answer_bytes;
	size_t len = response->body == BODY_BUFFER ? response->buffer.len : 0;

	if (len <= HEAVY_BYTES)
		return;
	size_t before = atomic_fetch_add(all, len);
	if (before == 0 || before + len <= ANSWERS_MAX_BYTES) {
		exchange->answer_bytes = len;
		return;
	}
	(void)atomic_fetch_sub(all, len);
	response_deinit(response);
	response_init(response);
	response_header_static(response, "Retry-After", "1");
	respond_error(&exchange->request, response, 503,
		      "too many large answers are being sent at once; try again");
}

/* Ends the lease of a write that is refused for good. True: the answer is to wait until the store
 * has done so, which resumes the request. */
static bool ends_lease(struct exchange *exchange, bool may_wait)
{
	const struct handler *handler = exchange->handler;

	if (!handler || !handler->lease || exchange->has_ended_lease)
		return false;
	exchange->has_ended_lease = true;
	if (may_wait)
		atomic_store(&exchange->park, PARK_RUNNING);
	return flight_lease_end_refused(&exchange->request, handler, exchange->response.status,
					may_wait);
}

static enum MHD_Result queue_now(struct exchange *exchange)
{
	struct response *response = &exchange->response;
	bool close = response->close ||
		     atomic_load_explicit(&exchange->shared->leaves, memory_order_relaxed);

	exchange_handler_pretty(exchange);
	count_answer(exchange);
	int64_t now_ns = monotonic_now_ns();
	if (request_log_cares(exchange, now_ns))
		request_log_answer(exchange, now_ns);
	/* A client that is still sending would get a reset, and might never see the answer. */
	exchange->record->lingers |= response->close;
	if (exchange->returns_id)
		response_header_static(response, "X-Request-Id", exchange_request_id(exchange));
	enum MHD_Result queued = answer_queue(exchange, close);
	if (queued == MHD_YES) {
		exchange->counted = true;
		metrics_answered(exchange->shared->metrics, exchange->route,
				 exchange->request.method, response->status,
				 now_ns - exchange->began_ns);
	}
	return queued;
}

static enum MHD_Result advance(struct exchange *exchange);

static enum MHD_Result queue_response(struct exchange *exchange)
{
	if (!(answer_body_is_one(exchange) && answer_body_waits(exchange)) &&
	    !ends_lease(exchange, true))
		return queue_now(exchange);
	exchange->is_made = true;
	exchange->submitted = true;
	connection_enter(exchange->record, PHASE_BUSY);
	return advance(exchange);
}

/* Answers without reading the body, and ends the connection. */
static enum MHD_Result turn_away(struct exchange *exchange)
{
	exchange->answered = true;
	exchange->response.close = true;
	(void)ends_lease(exchange, false);
	return queue_now(exchange);
}

/* ---- Running the handler ---- */

/* A lease that is bound to the connection must not end because its holder is busy computing: that
 * client is expected to be silent for that time. */
static void allow_silence(struct exchange *exchange)
{
	const struct flight_waiter *waiter = &exchange->request.visit->waiter;
	unsigned silent_s = (unsigned)(waiter->lease_us / US_PER_S) + 1;

	if (waiter->bind && flight_lease_of(&exchange->request) &&
	    silent_s > exchange->shared->idle_timeout_s)
		(void)MHD_set_connection_option(exchange->connection, MHD_CONNECTION_OPTION_TIMEOUT,
						silent_s);
}

static enum MHD_Result finish_handler(struct exchange *exchange)
{
	if (exchange->request.visit)
		allow_silence(exchange);
	exchange->submitted = false;
	exchange->waiting = false;
	exchange->answered = true;
	if (!exchange->is_made)
		exchange_handler_answer(exchange);
	return queue_response(exchange);
}

/* Continues as far as it can without waiting: a plain request to its end once its op is done, a
 * visit round by round. */
static enum MHD_Result advance(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	while (atomic_load(&exchange->park) == PARK_DONE) {
		enum handler_step step = STEP_RESPOND;

		exchange_op_end_phase(exchange);
		if (exchange->is_made)
			return finish_handler(exchange);
		if (request->visit) {
			/* Before the step, because the wake-up can come from then on. */
			atomic_store(&exchange->park, PARK_RUNNING);
			connection_enter(exchange->record, PHASE_BUSY);
			step = exchange->waiting ? flight_visit_after_wait(request)
						 : flight_visit_after_read(request);
		}
		if (step == STEP_RESPOND && !aside_wants_finish(exchange))
			return finish_handler(exchange);
		if (step == STEP_RESPOND) {
			aside_finish(exchange);
		} else if (step == STEP_SUBMIT) {
			aside_submit(exchange);
		} else {
			exchange->waiting = true;
			exchange->since_ns = monotonic_now_ns();
			connection_enter(exchange->record, PHASE_PARKED);
		}
	}
	exchange_op_park(exchange);
	return MHD_YES;
}

static enum MHD_Result run_handler(struct exchange *exchange)
{
	connection_enter(exchange->record, PHASE_BUSY);
	if (!admit_body(exchange) || !upload_end(exchange))
		return queue_response(exchange);
	exchange->started = true;
	if (aside_wants_start(exchange)) {
		exchange->submitted = true;
		aside_start(exchange);
		return advance(exchange);
	}
	if (!exchange_handler_start(exchange)) {
		exchange->answered = true;
		return queue_response(exchange);
	}
	exchange->submitted = true;
	aside_submit(exchange);
	return advance(exchange);
}

/* ---- The library's calls ---- */

static enum MHD_Result begin(struct exchange *exchange, const char *url, const char *method)
{
	/* Memory for the connection's record ran out, so nobody has checked the head. */
	if (!exchange->record || !guard_has_request(&exchange->record->guard))
		return MHD_NO;
	exchange->begun = true;
	exchange->began_ns = monotonic_now_ns();
	exchange->complete_ns = exchange->began_ns;
	exchange->request.method = router_method(method);
	if (!admit_connection(exchange, url))
		return turn_away(exchange);
	connection_enter(exchange->record,
			 exchange->head.content_length > 0 ? PHASE_RECEIVING : PHASE_BUSY);
	exchange->answered = !admit_request(exchange, url);
	if (!exchange->answered && upload_streams(exchange)) {
		exchange->started = true;
		atomic_store(&exchange->record->streams, true);
		exchange->answered = exchange->handler->start(&exchange->request,
							      &exchange->response) == STEP_RESPOND;
	}
	/* A body that is too long to be dropped is not read at all. */
	if (exchange->answered && exchange->head.content_length > DISCARD_MAX_BYTES)
		return turn_away(exchange);
	return MHD_YES;
}

/* From here on the time is the server's. */
static void end_body(struct exchange *exchange)
{
	exchange->complete_ns = monotonic_now_ns();
	exchange->backend_ns = 0;
	if (exchange->since_ns != 0)
		exchange->since_ns = exchange->complete_ns;
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *upload,
				size_t *upload_size, void **state)
{
	struct exchange *exchange = *state;

	(void)cls;
	(void)connection;
	(void)version;
	if (!exchange)
		return MHD_NO; /* out of memory */
	if (!exchange->begun)
		return begin(exchange, url, method);
	if (*upload_size > 0) {
		size_t len = *upload_size;

		/* The library passes the rest again. */
		if (upload_streams(exchange) && upload_is_busy(exchange))
			return MHD_YES;
		*upload_size = 0;
		if (upload_streams(exchange))
			upload_pass(exchange, (struct slice){.data = upload, .len = len});
		else
			upload_receive(exchange, upload, len);
		return MHD_YES;
	}
	if (exchange->received_bytes > 0 && exchange->complete_ns == exchange->began_ns)
		end_body(exchange);
	if (upload_streams(exchange) && !exchange->is_made) {
		upload_end_stream(exchange);
		return exchange->answered ? queue_response(exchange) : MHD_YES;
	}
	if (exchange->submitted) {
		(void)atomic_fetch_sub(&exchange->shared->parked, 1);
		return advance(exchange);
	}
	return exchange->answered ? queue_response(exchange) : run_handler(exchange);
}
