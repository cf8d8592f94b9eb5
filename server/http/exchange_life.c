#include "server/http/exchange_life.h"

#include <stdlib.h>

#include "handlers/flight/single_flight.h"
#include "server/http/answer_body.h"
#include "server/http/exchange_op.h"
#include "server/http/exchange_query.h"
#include "server/log/request_log.h"

/* ---- What handlers ask of a request ---- */

static const char *find_header(const struct request *request, const char *name)
{
	const struct exchange *exchange = request->source_user;

	return head_find(&exchange->head, slice_of(name));
}

static const char *find_header_line(const struct request *request, const char *name, size_t index)
{
	const struct exchange *exchange = request->source_user;

	return head_find_line(&exchange->head, slice_of(name), index);
}

static void visit_headers(const struct request *request, request_visit *visit, void *user)
{
	const struct exchange *exchange = request->source_user;

	head_each(&exchange->head, visit, user);
}

static const char *find_query(const struct request *request, const char *name)
{
	return exchange_query(request->source_user, name);
}

static bool has_left(const struct request *request)
{
	const struct exchange *exchange = request->source_user;

	return exchange->record && connection_has_left(exchange->record);
}

static const struct request_source library_source = {
	.header = find_header,
	.header_line = find_header_line,
	.each = visit_headers,
	.query = find_query,
	.has_left = has_left,
};

/* ---- Opening and closing ---- */

/* An exchange is large and short-lived: a thread keeps the one that it used last. */
static _Thread_local struct {
	struct exchange *kept;
	bool ends_with_thread;
} spare;

static pthread_key_t spare_key;
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;

static void free_spare(void *arg)
{
	(void)arg;
	free(spare.kept);
	spare.kept = NULL;
}

static void make_spare_key(void)
{
	if (pthread_key_create(&spare_key, free_spare) != 0)
		abort();
}

static struct exchange *allocate(void)
{
	struct exchange *kept = spare.kept;

	if (!kept)
		return malloc(sizeof(*kept));
	spare.kept = NULL;
	return kept;
}

static void keep_or_free(struct exchange *exchange)
{
	if (!spare.ends_with_thread) {
		(void)pthread_once(&spare_once, make_spare_key);
		spare.ends_with_thread = pthread_setspecific(spare_key, &spare) == 0;
	}
	if (spare.kept || !spare.ends_with_thread)
		free(exchange);
	else
		spare.kept = exchange;
}

static void wake_exchange(struct request *request)
{
	exchange_op_go_on(request->source_user);
}

void *exchange_life_open(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct exchange_shared *shared = cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *record = info ? info->socket_context : NULL;

	if (record)
		exchange_life_abandon(shared, record);
	struct exchange *exchange = allocate();
	if (!exchange)
		return NULL;
	/* Not cleared as a whole, because the buffers make up most of it. */
	memset(exchange, 0, offsetof(struct exchange, head));
	exchange->head.trace = (struct trace){0};
	response_init(&exchange->response);
	exchange->query = NULL;
	exchange->query_end = NULL;
	if (record && record->guard.head.query_at > 0)
		exchange_query_split(exchange,
				     (char *)(uintptr_t)target + record->guard.head.query_at + 1);
	if (record)
		record->exchange = exchange;
	exchange->shared = shared;
	exchange->connection = connection;
	exchange->record = record;
	exchange->request.context = &shared->context;
	exchange->request.source = &library_source;
	exchange->request.source_user = exchange;
	exchange->request.owner = record ? &record->owner : NULL;
	exchange->request.wake = wake_exchange;
	(void)atomic_fetch_add_explicit(&shared->running, 1, memory_order_relaxed);
	return exchange;
}

static void close_exchange(struct exchange_shared *shared, struct exchange *exchange,
			   bool is_answered)
{
	if (exchange->begun && !exchange->counted)
		metrics_unanswered(shared->metrics);
	if (exchange->begun && request_log_has_each(exchange))
		request_log_end(exchange);
	if (exchange->submitted) /* the client left while it was parked */
		(void)atomic_fetch_sub(&shared->parked, 1);
	flight_visit_close(&exchange->request, is_answered);
	if (exchange->started && exchange->handler->cleanup)
		exchange->handler->cleanup(&exchange->request);
	if (exchange->started)
		cache_op_deinit(&exchange->request.op);
	cache_value_release(exchange->request.body);
	if (exchange->answer_bytes > 0)
		(void)atomic_fetch_sub(&shared->answer_bytes, exchange->answer_bytes);
	if (exchange->sent_body)
		answer_body_close(exchange);
	response_deinit(&exchange->response);
	connection_enter(exchange->record, PHASE_WAITING);
	if (exchange->record) {
		exchange->record->exchange = NULL;
		atomic_store_explicit(&exchange->record->streams, false, memory_order_relaxed);
		guard_end_request(&exchange->record->guard);
	}
	free(exchange->long_key);
	trace_deinit(&exchange->head.trace);
	auth_leave(&exchange->access);
	keep_or_free(exchange);
	(void)atomic_fetch_sub_explicit(&shared->running, 1, memory_order_release);
}

void exchange_life_abandon(struct exchange_shared *shared, struct connection *record)
{
	if (record->exchange)
		close_exchange(shared, record->exchange, false);
}

void exchange_life_completed(void *cls, struct MHD_Connection *connection, void **state,
			     enum MHD_RequestTerminationCode code)
{
	(void)connection;
	if (*state)
		close_exchange(cls, *state, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	*state = NULL;
}
