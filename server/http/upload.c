#include "server/http/upload.h"

#include "handlers/entry/entry_headers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"
#include "server/http/admit.h"
#include "server/http/aside.h"
#include "server/http/exchange_op.h"

/* Initial room for a body of unknown length. */
#define FIRST_CHUNK_BYTES 4096

static bool make_room(struct exchange *exchange, size_t needed)
{
	struct request *request = &exchange->request;
	size_t max = exchange->shared->max_body_bytes;

	if (!request->body) {
		uint64_t declared = exchange->head.content_length;
		size_t size = declared != LENGTH_UNKNOWN ? (size_t)declared : FIRST_CHUNK_BYTES;

		/* A body for a path with a key will most likely be stored under it. */
		struct cache_headroom headroom = {0};
		struct slice kept = {0};
		struct entry_head head;
		if (request->key.len > 0) {
			headroom = backend_headroom(request->context->backend, request->ns,
						    request->key.len);
			entry_headers_read(request, &head);
			kept = value_head_text(&head.room);
			request->has_whole_head = head.verdict == HEAD_ADDED;
		}
		request->body = cache_value_create_with_headroom(size > needed ? size : needed,
								 kept, headroom);
		return request->body != NULL;
	}
	if (needed <= request->body->len_bytes)
		return true;
	size_t grown = (size_t)request->body->len_bytes * 2;
	if (grown > max)
		grown = max;
	struct cache_value *body =
		cache_value_resize(request->body, grown > needed ? grown : needed);
	if (body)
		request->body = body;
	return body != NULL;
}

static void refuse_no_memory(struct exchange *exchange)
{
	exchange->answered = true;
	exchange->response.close = true;
	respond_error(&exchange->request, &exchange->response, status_http(CACHE_NO_MEMORY), "%s",
		      status_text(CACHE_NO_MEMORY));
}

/* The body has become too large for memory: it goes on as one that is streamed. */
static void begin_stream(struct exchange *exchange)
{
	struct request *request = &exchange->request;
	struct cache_value *before = request->body;

	exchange->handler = exchange->handler->streamed;
	exchange->started = true;
	atomic_store(&exchange->record->streams, true);
	request->body = NULL;
	if (exchange->handler->start(request, &exchange->response) == STEP_RESPOND) {
		exchange->answered = true;
		exchange->response.close = true;
		guard_end_body(&exchange->record->guard);
	} else if (before) {
		exchange->handler->take(request, (struct slice){.data = cache_value_data(before),
								.len = exchange->received_bytes});
	}
	cache_value_release(before);
}

void upload_receive(struct exchange *exchange, const char *piece, size_t len)
{
	size_t needed = exchange->received_bytes + len;
	size_t max = exchange->shared->max_body_bytes;

	if (needed >= exchange->shared->stream_from_bytes && !exchange->answered &&
	    exchange->handler->streamed) {
		begin_stream(exchange);
		upload_pass(exchange, (struct slice){.data = piece, .len = len});
		return;
	}
	if (!exchange->answered && needed > max) {
		exchange->answered = true;
		exchange->response.close = true;
		/* The declared length is not more than that, so the body is chunked. */
		guard_end_body(&exchange->record->guard);
		respond_error(&exchange->request, &exchange->response, 413,
			      "the body is larger than %zu bytes (STEADYCACHE_MAX_BODY_MB)", max);
	} else if (!exchange->answered && !make_room(exchange, needed)) {
		refuse_no_memory(exchange);
	}
	if (!exchange->answered)
		memcpy(cache_value_data(exchange->request.body) + exchange->received_bytes, piece,
		       len);
	exchange->received_bytes = needed;
}

bool upload_end(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	if (!request->body || request->body->len_bytes == exchange->received_bytes)
		return true;
	struct cache_value *trimmed = cache_value_resize(request->body, exchange->received_bytes);
	if (trimmed)
		request->body = trimmed;
	else
		refuse_no_memory(exchange);
	return trimmed != NULL;
}

/* ---- Bodies that are streamed to the handler ---- */

/* This much has to arrive within the time that a whole request has. */
#define PROGRESS_BYTES 65536

/* Takes the handler's next step; the result of one that ran aside comes first. False: it is running
 * aside, or its op is not done. */
static bool take_step(struct exchange *exchange, bool is_end, enum handler_step *ret)
{
	const struct handler *handler = exchange->handler;

	exchange->proceeds = false;
	exchange->request.is_given_up = !is_end && atomic_load(&exchange->shared->hurries);
	if (exchange->has_step && exchange->step != STEP_SUBMIT) {
		exchange->has_step = false;
		*ret = exchange->step;
		return true;
	}
	exchange->has_step = false;
	if (!handler->is_long || !handler->is_long(&exchange->request, is_end)) {
		*ret = handler->proceed(&exchange->request, &exchange->response, is_end);
		return true;
	}
	exchange->proceeds = true;
	connection_enter(exchange->record, PHASE_BUSY);
	aside_proceed(exchange, is_end);
	return false;
}

static void proceed(struct exchange *exchange, bool is_end)
{
	enum handler_step step = STEP_SUBMIT;

	for (;;) {
		if (exchange->submitted && atomic_load(&exchange->park) != PARK_DONE)
			return; /* a piece that came with the previous one */
		if (exchange->submitted)
			(void)atomic_fetch_sub(&exchange->shared->parked, 1);
		exchange_op_end_phase(exchange);
		exchange->submitted = false;
		if (!take_step(exchange, is_end, &step)) {
			if (!exchange_op_await(exchange))
				return;
		} else if (step != STEP_SUBMIT) {
			break;
		} else if (!admit_op(exchange)) { /* the handler should have noticed */
			exchange->answered = true;
			return;
		} else {
			atomic_store(&exchange->park, PARK_RUNNING);
			connection_enter(exchange->record, PHASE_BUSY);
			aside_submit(exchange);
			if (!exchange_op_await(exchange))
				return;
		}
		/* As if it had been parked. */
		(void)atomic_fetch_add(&exchange->shared->parked, 1);
	}
	exchange->answered = step == STEP_RESPOND;
	exchange->response.close |= exchange->answered && exchange->request.is_given_up;
	if (exchange->answered && exchange->response.close)
		guard_end_body(&exchange->record->guard);
}

void upload_pass(struct exchange *exchange, struct slice piece)
{
	exchange->received_bytes += piece.len;
	if (!exchange->answered) {
		exchange->handler->take(&exchange->request, piece);
		proceed(exchange, false);
	}
	/* A request's time restarts with each step, so that only a client that stops is cut off. */
	if (!exchange->submitted &&
	    (atomic_load(&exchange->record->phase) != PHASE_RECEIVING ||
	     exchange->received_bytes - exchange->marked_bytes >= PROGRESS_BYTES)) {
		exchange->marked_bytes = exchange->received_bytes;
		connection_enter(exchange->record, PHASE_RECEIVING);
	}
}

void upload_end_stream(struct exchange *exchange)
{
	bool is_good = !exchange->record->guard.is_refused;

	if (!exchange->answered)
		proceed(exchange, is_good);
	/* What came before has been processed by then. */
	if (!exchange->answered && !exchange->submitted && !is_good)
		exchange->answered = !admit_body(exchange);
}
