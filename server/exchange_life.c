/* Opening and closing an exchange, and what its handler may ask of the request. */
#include <stdlib.h>

#include "handlers/single_flight.h"
#include "server/exchange_state.h"
#include "server/request_log.h"

/* ---- What handlers ask of a request ---- */

static const char *find_header(const struct request *request, const char *name)
{
	const struct exchange *exchange = request->source_user;

	return head_find(&exchange->head, slice_of(name));
}

static bool repeats_header(const struct request *request, const char *name)
{
	const struct exchange *exchange = request->source_user;

	return head_repeats(&exchange->head, slice_of(name));
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
	.repeats = repeats_header,
	.query = find_query,
	.has_left = has_left,
};

const char *exchange_query(const struct exchange *exchange, const char *name)
{
	const char *value = NULL;

	if (MHD_lookup_connection_value_n(exchange->connection, MHD_GET_ARGUMENT_KIND, name,
					  strlen(name), &value, NULL) != MHD_YES)
		return NULL;
	return value ? value : "";
}

/* ---- Opening and closing ---- */

static pthread_key_t spare_key;
static pthread_once_t spare_once = PTHREAD_ONCE_INIT;

static void make_spare_key(void)
{
	if (pthread_key_create(&spare_key, free) != 0)
		abort();
}

/* An exchange is large and its life short: a thread keeps the one that it used last. */
static struct exchange *allocate(void)
{
	(void)pthread_once(&spare_once, make_spare_key);
	struct exchange *spare = pthread_getspecific(spare_key);

	if (!spare)
		return malloc(sizeof(*spare));
	(void)pthread_setspecific(spare_key, NULL);
	return spare;
}

static void keep_or_free(struct exchange *exchange)
{
	if (pthread_getspecific(spare_key) || pthread_setspecific(spare_key, exchange) != 0)
		free(exchange);
}

static void wake_exchange(struct request *request)
{
	exchange_go_on(request->source_user);
}

void *exchange_open(void *cls, const char *target, struct MHD_Connection *connection)
{
	struct exchange_shared *shared = cls;
	struct exchange *exchange = allocate();

	if (!exchange)
		return NULL;
	/* Not cleared as a whole: the buffers make up most of it. */
	memset(exchange, 0, offsetof(struct exchange, head));
	exchange->head.trace = (struct trace){0};
	response_init(&exchange->response);
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	exchange->target_len = strlen(target);
	exchange->shared = shared;
	exchange->connection = connection;
	exchange->record = info ? info->socket_context : NULL;
	exchange->request.context = &shared->context;
	exchange->request.source = &library_source;
	exchange->request.source_user = exchange;
	exchange->request.owner = exchange->record ? &exchange->record->owner : NULL;
	exchange->request.wake = wake_exchange;
	(void)atomic_fetch_add_explicit(&shared->running, 1, memory_order_relaxed);
	return exchange;
}

void exchange_completed(void *cls, struct MHD_Connection *connection, void **state,
			enum MHD_RequestTerminationCode code)
{
	struct exchange *exchange = *state;
	struct exchange_shared *shared = cls;

	(void)connection;
	if (!exchange)
		return;
	if (exchange->begun && !exchange->counted)
		metrics_unanswered(shared->metrics);
	if (exchange->begun && request_log_has_each(exchange))
		request_log_end(exchange);
	if (exchange->submitted) /* the client left while it was parked */
		(void)atomic_fetch_sub(&shared->parked, 1);
	flight_visit_close(&exchange->request, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
	if (exchange->started && exchange->route->handler->cleanup)
		exchange->route->handler->cleanup(&exchange->request);
	if (exchange->started)
		cache_op_deinit(&exchange->request.op);
	cache_value_release(exchange->request.body);
	response_deinit(&exchange->response);
	connection_enter(exchange->record, PHASE_WAITING);
	free(exchange->long_key);
	trace_deinit(&exchange->head.trace);
	auth_leave(&exchange->access);
	keep_or_free(exchange);
	(void)atomic_fetch_sub_explicit(&shared->running, 1, memory_order_release);
	*state = NULL;
}
