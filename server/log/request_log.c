#include "server/log/request_log.h"

#include "handlers/respond/status.h"
#include "server/log/log_rate.h"

#define US_PER_NS(ns) ((ns) / 1000)
#define NS_PER_MS     INT64_C(1000000)

static struct log_rate slow_rate, failed_rate;

/* ---- Lines ---- */

#define FIELDS_MAX 20

struct fields {
	size_t count;
	struct log_field field[FIELDS_MAX + 1]; /* the last ends the list */
	char token[TOKEN_NAME_MAX_LEN + 1];
	char ns[NAMESPACE_MAX_LEN + 1];
	char trace_id[TRACE_ID_LEN + 1];
};

static void add_text(struct fields *fields, const char *name, const char *text)
{
	if (text && fields->count < FIELDS_MAX)
		fields->field[fields->count++] = LOG_TEXT(name, text);
}

static void add_number(struct fields *fields, const char *name, int64_t number)
{
	if (fields->count < FIELDS_MAX)
		fields->field[fields->count++] = LOG_NUMBER(name, number);
}

/* Identifies the request: the first fields of each line. */
static void add_request(struct fields *fields, const struct exchange *exchange)
{
	add_text(fields, "method", router_method_name(exchange->request.method));
	add_text(fields, "route", exchange->route ? exchange->route->pattern : "none");
	add_number(fields, "status", exchange->response.status);
}

/* ... and its origin: the last fields. */
static void add_origin(struct fields *fields, struct exchange *exchange)
{
	const struct token *token = exchange->access.token;

	add_text(fields, "request_id", exchange_request_id(exchange));
	add_text(fields, "trace_id", trace_id_of(&exchange->head.trace, fields->trace_id));
	if (!token)
		return;
	memcpy(fields->token, token->line.name.data, token->line.name.len);
	fields->token[token->line.name.len] = '\0';
	add_text(fields, "token", fields->token);
}

/* The namespace of the path or of the op, if it is a valid name. */
static void add_namespace(struct fields *fields, const struct exchange *exchange)
{
	struct slice ns = exchange->request.ns;

	if (ns.len == 0)
		ns = exchange->request.op.ns;
	if (!namespace_name_is_valid(ns))
		return;
	memcpy(fields->ns, ns.data, ns.len);
	fields->ns[ns.len] = '\0';
	add_text(fields, "namespace", fields->ns);
}

static int64_t answer_bytes(const struct response *response)
{
	if (response->status == 304) /* only its length is sent */
		return 0;
	switch (response->body) {
	case BODY_STATIC:
		return (int64_t)response->static_body.len;
	case BODY_BUFFER:
		return (int64_t)response->buffer.len;
	case BODY_VALUE:
		return (int64_t)response->value_len;
	case BODY_NONE:
	case BODY_STREAM:
		break;
	}
	return 0;
}

/* ---- Slow and failed requests ---- */

static void add_times(struct fields *fields, const struct exchange *exchange, int64_t now_ns)
{
	int64_t own_ns = request_log_own_ns(exchange, now_ns);
	int64_t upload_ns = exchange->complete_ns - exchange->began_ns;

	add_number(fields, "duration_ms", own_ns / NS_PER_MS);
	add_number(fields, "backend_ms",
		   (exchange->is_all_backend ? own_ns : exchange->backend_ns) / NS_PER_MS);
	if (exchange->waited_ns > 0)
		add_number(fields, "waited_ms", exchange->waited_ns / NS_PER_MS);
	if (upload_ns > 0)
		add_number(fields, "upload_ms", upload_ns / NS_PER_MS);
}

/* A failure of the server or its backend. 501 means that the request asked for something that does
 * not exist. */
static bool has_failed(const struct exchange *exchange)
{
	return exchange->response.status >= 500 && exchange->response.status != 501;
}

/* A failure that may pass by itself is a warning. */
static enum log_level failure_level(unsigned status)
{
	return status == 503 || status == 504 ? LOG_WARN : LOG_ERROR;
}

/* The reason: a sentence of this program. What another server says may contain anything, even a
 * key. */
static const char *reason_of(const struct exchange *exchange)
{
	const struct cache_op *op = &exchange->request.op;

	if (status_http(op->status) < 500)
		return NULL;
	return op->detail && !(exchange_traits(exchange).bits & BACKEND_REMOTE)
		       ? op->detail
		       : status_text(op->status);
}

static void log_answer(struct exchange *exchange, int64_t now_ns, enum log_level level,
		       const char *message)
{
	struct fields fields = {0};

	add_request(&fields, exchange);
	add_namespace(&fields, exchange);
	add_times(&fields, exchange, now_ns);
	add_number(&fields, "received_bytes", (int64_t)exchange->received_bytes);
	add_number(&fields, "answer_bytes", answer_bytes(&exchange->response));
	add_text(&fields, "reason", reason_of(exchange));
	add_origin(&fields, exchange);
	log_write(level, message, fields.field);
}

/* Lines that were left out earlier are reported first. */
static void tell_left_out(struct log_rate *rate, int64_t now_ns, const char *message)
{
	uint64_t left_out = log_rate_left_out(rate, now_ns);

	if (left_out > 0)
		log_line(LOG_WARN, message, LOG_NUMBER("left_out", left_out));
}

static void tell_all_left_out(int64_t now_ns)
{
	tell_left_out(&slow_rate, now_ns, "slow requests were left out of the log");
	tell_left_out(&failed_rate, now_ns, "failed requests were left out of the log");
}

static void log_if_on(struct exchange *exchange, int64_t now_ns, struct log_rate *rate,
		      enum log_level level, const char *message)
{
	if (!log_is_on(level))
		return;
	tell_all_left_out(now_ns);
	if (log_rate_take(rate, now_ns))
		log_answer(exchange, now_ns, level, message);
}

/* ---- What is logged ---- */

/* An error, which somebody may ask about. A miss is not one. */
static bool is_error(const struct exchange *exchange)
{
	unsigned status = exchange->response.status;

	return status >= 400 && !(status == 404 && exchange->started &&
				  exchange->request.op.status == CACHE_NOT_FOUND);
}

void request_log_answer(struct exchange *exchange, int64_t now_ns)
{
	bool is_slow = request_log_own_ns(exchange, now_ns) > exchange->shared->slow_ns;

	exchange->returns_id |= is_slow || is_error(exchange) || request_log_has_each(exchange);
	if (has_failed(exchange))
		log_if_on(exchange, now_ns, &failed_rate, failure_level(exchange->response.status),
			  "request failed");
	else if (is_slow)
		log_if_on(exchange, now_ns, &slow_rate, LOG_WARN, "slow request");
}

void request_log_end(struct exchange *exchange)
{
	struct fields fields = {0};

	add_request(&fields, exchange);
	add_number(&fields, "received_bytes", (int64_t)exchange->received_bytes);
	add_number(&fields, "duration_us", US_PER_NS(monotonic_now_ns() - exchange->began_ns));
	add_origin(&fields, exchange);
	log_write(exchange->shared->access_log ? LOG_INFO : LOG_DEBUG, "request", fields.field);
}

void request_log_cut(struct exchange *exchange, const char *reason)
{
	struct fields fields = {0};
	int64_t now_ns = monotonic_now_ns();

	if (!log_is_on(LOG_ERROR))
		return;
	tell_all_left_out(now_ns);
	if (!log_rate_take(&failed_rate, now_ns))
		return;
	add_request(&fields, exchange);
	add_namespace(&fields, exchange);
	add_text(&fields, "reason", reason);
	add_origin(&fields, exchange);
	log_write(LOG_ERROR, "an answer was cut off in the middle of its value", fields.field);
}

void request_log_tick(bool is_end)
{
	tell_all_left_out(is_end ? INT64_MAX : monotonic_now_ns());
}
