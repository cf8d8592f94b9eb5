#include "server/exchange.h"

#include <stdlib.h>

#include "handlers/percent.h"
#include "server/log.h"
#include "server/router.h"

/* A body up to this size that is not wanted is read and dropped, so that the connection can stay.
 */
#define DISCARD_MAX_BYTES 65536
/* Where a body of unknown length begins. */
#define FIRST_CHUNK_BYTES 4096
#define INLINE_KEY_BYTES  512

/* How an op that did not complete at once and the connection that waits for it find each other: the
 * one that comes second resumes the connection. */
enum park_state { PARK_RUNNING, PARK_SUSPENDED, PARK_DONE };

struct exchange {
	struct request request;
	struct response response;
	struct exchange_shared *shared;
	struct MHD_Connection *connection;
	struct connection *record;
	const struct route *route;
	_Atomic enum park_state park;
	bool answered;  /* the response is complete; what still comes of the body is dropped */
	bool submitted; /* the op is with the backend or done, `finish` is still to be called */
	bool started;   /* handler->start was called: cleanup is due */
	uint64_t content_length; /* declared; UINT64_MAX: unknown */
	size_t received_bytes;
	int64_t began_us;
	char *long_key; /* malloc'ed where the decoded key does not fit below */
	char ns[NAMESPACE_MAX_LEN * 3];
	char key[INLINE_KEY_BYTES];
};

/* ---- What handlers ask of a request ---- */

static const char *find_header(const struct request *request, const char *name)
{
	const struct exchange *exchange = request->source_user;

	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static const char *find_query(const struct request *request, const char *name)
{
	const struct exchange *exchange = request->source_user;
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(exchange->connection, MHD_GET_ARGUMENT_KIND, name,
					  strlen(name), &value, NULL) != MHD_YES)
		return NULL;
	return value ? value : "";
}

static const struct request_source mhd_source = {.header = find_header, .query = find_query};

/* ---- The answer ---- */

static void release_value(void *value)
{
	cache_value_release(value);
}

static struct MHD_Response *make_body(struct response *response)
{
	struct MHD_Response *made = NULL;

	switch (response->body) {
	case BODY_NONE:
		made = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
		break;
	case BODY_STATIC:
		made = MHD_create_response_from_buffer(
			response->static_body.len, (void *)(uintptr_t)response->static_body.data,
			MHD_RESPMEM_PERSISTENT);
		break;
	case BODY_BUFFER:
		made = MHD_create_response_from_buffer(response->buffer.len, response->buffer.data,
						       MHD_RESPMEM_MUST_FREE);
		if (made)
			response->buffer = (struct buffer){0};
		break;
	case BODY_VALUE:
		made = MHD_create_response_from_buffer_with_free_callback_cls(
			response->value_len,
			cache_value_data(response->value) + response->value_offset, release_value,
			response->value);
		if (made)
			response->value = NULL;
		break;
	}
	return made;
}

static enum MHD_Result queue_response(struct exchange *exchange)
{
	struct response *response = &exchange->response;
	bool close = response->close ||
		     atomic_load_explicit(&exchange->shared->draining, memory_order_relaxed);

	if (response->is_json && find_query(&exchange->request, "pretty")) {
		if (response->body == BODY_STATIC) {
			buffer_append(&response->buffer, response->static_body);
			response->body = BODY_BUFFER;
		}
		response_pretty(response);
	}
	struct MHD_Response *made = make_body(response);
	if (!made)
		return MHD_NO;
	for (size_t i = 0; i < response->header_count; i++)
		(void)MHD_add_response_header(made, response->headers[i].name,
					      response->headers[i].value);
	if (close)
		(void)MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result queued = MHD_queue_response(exchange->connection, response->status, made);
	MHD_destroy_response(made);
	return queued;
}

/* ---- Running the handler ---- */

static void op_done(struct cache_op *op)
{
	struct exchange *exchange = op->user;

	if (atomic_exchange(&exchange->park, PARK_DONE) == PARK_SUSPENDED)
		MHD_resume_connection(exchange->connection);
}

static void finish_handler(struct exchange *exchange)
{
	exchange->submitted = false;
	exchange->answered = true;
	exchange->route->handler->finish(&exchange->request, &exchange->response);
}

/* Trims the body to what came. */
static bool close_body(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	if (!request->body || request->body->len_bytes == exchange->received_bytes)
		return true;
	struct cache_value *trimmed = cache_value_resize(request->body, exchange->received_bytes);
	if (trimmed)
		request->body = trimmed;
	return trimmed != NULL;
}

static enum MHD_Result run_handler(struct exchange *exchange)
{
	const struct handler *handler = exchange->route->handler;
	struct request *request = &exchange->request;

	connection_enter(exchange->record, PHASE_BUSY);
	if (!close_body(exchange)) {
		respond_error(request, &exchange->response, 503, "%s",
			      cache_status_text(CACHE_NO_MEMORY));
		return queue_response(exchange);
	}
	exchange->started = true;
	if (handler->start(request, &exchange->response) == STEP_RESPOND) {
		exchange->answered = true;
		return queue_response(exchange);
	}
	exchange->submitted = true;
	request->op.done = op_done;
	request->op.user = exchange;
	backend_submit(request->context->backend, &request->op);
	if (atomic_load(&exchange->park) != PARK_DONE) {
		(void)atomic_fetch_add(&exchange->shared->parked, 1);
		MHD_suspend_connection(exchange->connection);
		if (atomic_exchange(&exchange->park, PARK_SUSPENDED) == PARK_DONE) {
			/* It was done in between and found nothing to resume. */
			atomic_store(&exchange->park, PARK_DONE);
			MHD_resume_connection(exchange->connection);
		}
		return MHD_YES;
	}
	finish_handler(exchange);
	return queue_response(exchange);
}

/* ---- The first call: headers ---- */

static bool decode_part(struct exchange *exchange, struct slice raw, char *room, size_t room_size,
			struct slice *ret)
{
	*ret = raw;
	if (!memchr(raw.data, '%', raw.len))
		return true;
	if (raw.len > room_size) {
		free(exchange->long_key);
		room = exchange->long_key = malloc(raw.len);
	}
	if (room && percent_decode(raw, room, &ret->len)) {
		ret->data = room;
		return true;
	}
	respond_error(&exchange->request, &exchange->response, 400,
		      "the path has a %% that two hex digits do not follow; write it as %%25");
	return false;
}

static void refuse_method(struct exchange *exchange, unsigned allowed)
{
	response_header_printf(
		&exchange->response, "Allow", "%s%s%s%s", allowed & HTTP_GET ? "GET, HEAD" : "",
		allowed & HTTP_PUT ? (allowed & HTTP_GET ? ", PUT" : "PUT") : "",
		allowed & HTTP_DELETE ? ", DELETE" : "", allowed & HTTP_POST ? "POST" : "");
	respond_error(&exchange->request, &exchange->response, 405,
		      "this path does not take that method; Allow names those that it takes");
}

/* Finds the route and decodes the path. False: the response is complete. */
static bool resolve_path(struct exchange *exchange, const char *url)
{
	struct request *request = &exchange->request;
	struct route_match match = router_match(request->method, slice_of(url));

	bool is_d1 = strncmp(url, "/api", 4) == 0 && (url[4] == '/' || url[4] == '\0');

	request->error_style = is_d1 ? ERROR_D1 : ERROR_PROBLEM;
	exchange->route = match.route;
	if (!match.route || !match.route->is_public) {
		if (!auth_check(&exchange->shared->auth, find_header(request, "Authorization"),
				find_header(request, "Host"), find_header(request, "Origin"),
				&exchange->response))
			return false;
	}
	if (!match.route && match.allowed != 0) {
		refuse_method(exchange, match.allowed);
		return false;
	}
	if (!match.route) {
		respond_error(request, &exchange->response, 404, "there is nothing at this path");
		return false;
	}
	if (match.ns.len > sizeof(exchange->ns))
		match.ns.len = sizeof(exchange->ns); /* too long for a name in any case */
	if (match.ns.len > 0 &&
	    (!decode_part(exchange, match.ns, exchange->ns, sizeof(exchange->ns), &request->ns)))
		return false;
	if (match.ns.len > 0 && !namespace_name_is_valid(request->ns)) {
		respond_error(
			request, &exchange->response, 400,
			"a namespace has 1 to %d letters, digits, '_', '.' or '-', and does not "
			"begin with '.' or '-'",
			NAMESPACE_MAX_LEN);
		return false;
	}
	return match.key.len == 0 || decode_part(exchange, match.key, exchange->key,
						 sizeof(exchange->key), &request->key);
}

/* Reads how long the body is to be. False: the response is complete, and the connection of no
 * further use. */
static bool read_framing(struct exchange *exchange, const char *version)
{
	const char *length = find_header(&exchange->request, "Content-Length");
	const char *coding = find_header(&exchange->request, "Transfer-Encoding");
	char *end = NULL;

	if (strcmp(version, MHD_HTTP_VERSION_1_1) == 0 &&
	    !find_header(&exchange->request, "Host")) {
		respond_error(&exchange->request, &exchange->response, 400,
			      "an HTTP/1.1 request needs a Host header");
		return false;
	}
	if (length && coding) {
		/* Two servers in a row could disagree about where the request ends (RFC 9112, 6.3).
		 */
		respond_error(&exchange->request, &exchange->response, 400,
			      "send Content-Length or Transfer-Encoding, not both");
		return false;
	}
	exchange->content_length = coding ? UINT64_MAX : 0;
	if (length)
		exchange->content_length = strtoull(length, &end, 10);
	if (coding || exchange->content_length <= exchange->shared->max_body_bytes)
		return true;
	respond_error(&exchange->request, &exchange->response, 413,
		      "the body has %s bytes; the server takes up to %zu (STEADYCACHE_MAX_BODY_MB)",
		      length, exchange->shared->max_body_bytes);
	return false;
}

static bool check_load(struct exchange *exchange)
{
	if (!exchange->record || !exchange->record->over_limit)
		return true;
	response_header_static(&exchange->response, "Retry-After", "1");
	respond_error(&exchange->request, &exchange->response, 503,
		      "too many connections; try again later (STEADYCACHE_MAX_CONNECTIONS)");
	return false;
}

static struct exchange *open_exchange(struct exchange_shared *shared,
				      struct MHD_Connection *connection, const char *method)
{
	struct exchange *exchange = malloc(sizeof(*exchange));

	if (!exchange)
		return NULL;
	/* Not zeroed as a whole: the buffers make up most of it. */
	memset(exchange, 0, offsetof(struct exchange, ns));
	response_init(&exchange->response);
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	exchange->shared = shared;
	exchange->connection = connection;
	exchange->record = info ? info->socket_context : NULL;
	exchange->request.context = &shared->context;
	exchange->request.source = &mhd_source;
	exchange->request.source_user = exchange;
	exchange->request.method = router_method(method);
	exchange->began_us = shared->access_log ? monotonic_now_us() : 0;
	(void)atomic_fetch_add_explicit(&shared->running, 1, memory_order_relaxed);
	return exchange;
}

static enum MHD_Result begin(struct exchange *exchange, const char *url, const char *version)
{
	connection_enter(exchange->record, PHASE_RECEIVING);
	if (!check_load(exchange) || !read_framing(exchange, version)) {
		exchange->response.close = true;
		exchange->answered = true;
		connection_linger(exchange->record);
		return queue_response(exchange);
	}
	exchange->answered = !resolve_path(exchange, url);
	/* What is too long to be dropped is not read at all: the answer goes out now and the
	 * connection ends. */
	if (exchange->answered && exchange->content_length > DISCARD_MAX_BYTES) {
		exchange->response.close = true;
		connection_linger(exchange->record);
		return queue_response(exchange);
	}
	return MHD_YES;
}

/* ---- Further calls: the body ---- */

static bool make_room(struct exchange *exchange, size_t needed)
{
	struct request *request = &exchange->request;
	size_t max = exchange->shared->max_body_bytes;

	if (!request->body) {
		size_t size = exchange->content_length != UINT64_MAX
				      ? (size_t)exchange->content_length
				      : FIRST_CHUNK_BYTES;

		request->body = cache_value_create(size > needed ? size : needed,
						   slice_of(find_header(request, "Content-Type")));
		return request->body != NULL;
	}
	if (needed <= request->body->len_bytes)
		return true;
	size_t grown = request->body->len_bytes * 2;
	if (grown > max)
		grown = max;
	struct cache_value *body =
		cache_value_resize(request->body, grown > needed ? grown : needed);
	if (body)
		request->body = body;
	return body != NULL;
}

static enum MHD_Result receive(struct exchange *exchange, const char *upload, size_t *upload_size)
{
	size_t needed = exchange->received_bytes + *upload_size;
	size_t max = exchange->shared->max_body_bytes;

	if (!exchange->answered && needed > max) {
		exchange->answered = true;
		exchange->response.close = true;
		respond_error(&exchange->request, &exchange->response, 413,
			      "the body is larger than %zu bytes (STEADYCACHE_MAX_BODY_MB)", max);
	} else if (!exchange->answered && !make_room(exchange, needed)) {
		exchange->answered = true;
		exchange->response.close = true;
		respond_error(&exchange->request, &exchange->response, 503, "%s",
			      cache_status_text(CACHE_NO_MEMORY));
	}
	if (!exchange->answered)
		memcpy(cache_value_data(exchange->request.body) + exchange->received_bytes, upload,
		       *upload_size);
	exchange->received_bytes = needed;
	*upload_size = 0;
	/* A sender that does not stop is cut off. */
	return needed > 2 * max + DISCARD_MAX_BYTES ? MHD_NO : MHD_YES;
}

enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *upload,
				size_t *upload_size, void **state)
{
	struct exchange *exchange = *state;

	if (!exchange) {
		*state = exchange = open_exchange(cls, connection, method);
		return exchange ? begin(exchange, url, version) : MHD_NO;
	}
	if (*upload_size > 0)
		return receive(exchange, upload, upload_size);
	if (exchange->submitted) {
		(void)atomic_fetch_sub(&exchange->shared->parked, 1);
		finish_handler(exchange);
		return queue_response(exchange);
	}
	return exchange->answered ? queue_response(exchange) : run_handler(exchange);
}

/* ---- The end ---- */

static void log_access(const struct exchange *exchange)
{
	log_line(LOG_INFO, "request",
		 LOG_TEXT("route", exchange->route ? exchange->route->pattern : "none"),
		 LOG_NUMBER("method", exchange->request.method),
		 LOG_NUMBER("status", exchange->response.status),
		 LOG_NUMBER("received_bytes", exchange->received_bytes),
		 LOG_NUMBER("duration_us", monotonic_now_us() - exchange->began_us));
}

void exchange_completed(void *cls, struct MHD_Connection *connection, void **state,
			enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *state;
	struct exchange_shared *shared = cls;

	(void)connection;
	(void)code;
	if (!exchange)
		return;
	if (shared->access_log)
		log_access(exchange);
	if (exchange->submitted) /* the client left while it was parked */
		(void)atomic_fetch_sub(&shared->parked, 1);
	if (exchange->started && exchange->route->handler->cleanup)
		exchange->route->handler->cleanup(&exchange->request);
	if (exchange->started)
		cache_op_deinit(&exchange->request.op);
	cache_value_release(exchange->request.body);
	response_deinit(&exchange->response);
	connection_enter(exchange->record, PHASE_WAITING);
	free(exchange->long_key);
	free(exchange);
	(void)atomic_fetch_sub_explicit(&shared->running, 1, memory_order_release);
	*state = NULL;
}
