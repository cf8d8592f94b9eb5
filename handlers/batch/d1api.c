/* /api/...: the protocol of SteadyText's D1 cache client. */
#include <math.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "handlers/batch/call.h"
#include "handlers/batch/call_items.h"
#include "handlers/batch/call_value.h"
#include "handlers/flight/single_flight.h"
#include "handlers/handlers.h"
#include "handlers/json/stats_json.h"
#include "handlers/respond/error.h"

static enum handler_step d1_init_start(struct request *request, struct response *response)
{
	struct call *call = call_open(request, response, CACHE_OP_CONFIGURE);

	if (!call || !json_in_megabytes(request, response, &call->scanned[SCANNED_MAX_SIZE_MB],
					&request->op.settings.max_size_bytes))
		return STEP_RESPOND;
	request->op.settings_mask = SETTING_MAX_SIZE;
	return STEP_SUBMIT;
}

static void d1_init_finish(struct request *request, struct response *response)
{
	call_finish_success(request, response);
	if (response->status == 200)
		response->static_body =
			SLICE("{\"success\":true,\"message\":\"Cache initialized\"}");
}

static enum handler_step start_with_key(struct request *request, struct response *response,
					enum cache_op_type type)
{
	if (!call_open_single(request, response, type) || !call_value_read_key(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

/* A member in the form that flight_visit_open takes. */
static int64_t read_seconds(const struct scan_member *member)
{
	double seconds = -1;

	if (!member->found)
		return 0;
	if (member->kind == KIND_NUMBER)
		seconds = strtod(member->string.data, NULL);
	/* Beyond the larger limit all values are equivalent. */
	return seconds >= 0 && seconds <= 2 * LEASE_MAX_S ? llround(seconds * US_PER_S) : -1;
}

static enum handler_step d1_get_start(struct request *request, struct response *response)
{
	enum handler_step step = start_with_key(request, response, CACHE_OP_GET);
	const struct call *call = request->state;

	/* If a namespace keeps expired entries, its owner wants them served. */
	request->op.serve_stale = true;
	if (step != STEP_SUBMIT || !request->context->flights)
		return step;
	int64_t wait_us = read_seconds(&call->scanned[SCANNED_WAIT]);
	int64_t lease_us = read_seconds(&call->scanned[SCANNED_LEASE]);
	if (wait_us == 0 && lease_us == 0)
		return step;
	return flight_visit_open(request, response, wait_us, lease_us, NULL) ? step : STEP_RESPOND;
}

static void d1_get_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	struct buffer json = {0};

	if (op->status == CACHE_NOT_FOUND && flight_lease_of(request)) {
		buffer_printf(&json, "{\"found\":false,\"lease\":\"%s\"}",
			      flight_lease_of(request));
		response_json(response, 200, &json);
	} else if (op->status == CACHE_NOT_FOUND) {
		response_text(response, 200, "application/json; charset=UTF-8",
			      "{\"found\":false}");
		response->is_json = true;
	} else if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
	} else {
		(void)buffer_reserve(&json, op->one.value->len_bytes + 32);
		buffer_append(&json, SLICE("{\"found\":true,"));
		json_out_value(&json, op->one.value);
		if (op->one.stale)
			buffer_append(&json, SLICE(",\"stale\":true"));
		buffer_append_char(&json, '}');
		response_json(response, 200, &json);
	}
}

static bool check_lease(const struct request *request, struct response *response)
{
	const struct call *call = request->state;
	const struct scan_member *token = &call->scanned[SCANNED_LEASE];

	/* A member that is not a string is not a token. */
	return !token->found ||
	       flight_lease_check_token(request, response,
					token->kind == KIND_STRING ? token->string
								   : (struct slice){0});
}

static bool d1_set_lease(const struct request *request, struct named_lease *ret)
{
	const struct call *call = request->state;
	const struct scan_member *token = call ? &call->scanned[SCANNED_LEASE] : NULL;

	if (!token || !token->found || token->kind != KIND_STRING)
		return false;
	*ret = (struct named_lease){
		.ns = request->op.ns,
		.key = request->op.one.key,
		.token = token->string,
	};
	return true;
}

static enum handler_step d1_set_start(struct request *request, struct response *response)
{
	struct call *call = call_open_single(request, response, CACHE_OP_SET);

	if (!call || !call_value_read_key(request, response) ||
	    !call_value_read(request, response) || !check_lease(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

static enum handler_step d1_delete_start(struct request *request, struct response *response)
{
	return start_with_key(request, response, CACHE_OP_DELETE);
}

static enum handler_step d1_exists_start(struct request *request, struct response *response)
{
	return start_with_key(request, response, CACHE_OP_EXISTS);
}

static void d1_exists_finish(struct request *request, struct response *response)
{
	enum cache_status status = request->op.status;

	if (status != CACHE_OK && status != CACHE_NOT_FOUND) {
		respond_op_failure(request, response);
		return;
	}
	response_text(response, 200, "application/json; charset=UTF-8",
		      status == CACHE_OK ? "{\"exists\":true}" : "{\"exists\":false}");
	response->is_json = true;
}

static enum handler_step d1_clear_start(struct request *request, struct response *response)
{
	return call_open(request, response, CACHE_OP_CLEAR) ? STEP_SUBMIT : STEP_RESPOND;
}

static enum handler_step d1_stats_start(struct request *request, struct response *response)
{
	return call_open(request, response, CACHE_OP_STATS) ? STEP_SUBMIT : STEP_RESPOND;
}

#define D1_HANDLER(name, start_step, finish_step)                                                  \
	const struct handler name = {                                                              \
		.start = (start_step), .finish = (finish_step), .cleanup = call_close}

D1_HANDLER(handler_d1_init, d1_init_start, d1_init_finish);
D1_HANDLER(handler_d1_get, d1_get_start, d1_get_finish);
const struct handler handler_d1_set = {
	.start = d1_set_start,
	.finish = call_finish_success,
	.cleanup = call_close,
	.lease = d1_set_lease,
};
D1_HANDLER(handler_d1_delete, d1_delete_start, call_finish_success);
D1_HANDLER(handler_d1_exists, d1_exists_start, d1_exists_finish);
D1_HANDLER(handler_d1_batch_get, call_items_start_get, call_finish_results);
D1_HANDLER(handler_d1_batch_set, call_items_start_set, call_finish_success);
D1_HANDLER(handler_d1_batch_delete, call_items_start_delete, call_finish_success);
D1_HANDLER(handler_d1_clear, d1_clear_start, call_finish_success);
D1_HANDLER(handler_d1_stats, d1_stats_start, stats_json_finish);
