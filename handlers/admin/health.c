/* /healthz, /readyz, /sync */
#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

static enum handler_step healthz_start(struct request *request, struct response *response)
{
	(void)request;
	response_text(response, 200, "text/plain; charset=utf-8", "ok\n");
	return STEP_RESPOND;
}

static enum handler_step readyz_start(struct request *request, struct response *response)
{
	if (request->context->leaves && atomic_load(request->context->leaves)) {
		response_text(response, 503, "text/plain; charset=utf-8",
			      "failed server: it is about to stop\n");
		return STEP_RESPOND;
	}
	cache_op_init(&request->op, CACHE_OP_CHECK);
	return STEP_SUBMIT;
}

static void readyz_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	struct buffer text = {0};
	bool ready = op->status == CACHE_OK;

	if (!ready)
		buffer_printf(&text, "failed backend: %s\n", status_text(op->status));
	for (size_t i = 0; i < op->check_count; i++) {
		const struct cache_health_check *check = &op->checks[i];

		ready &= check->ok;
		if (check->ok && *check->detail)
			buffer_printf(&text, "ok %s: %s\n", check->name, check->detail);
		else if (check->ok)
			buffer_printf(&text, "ok %s\n", check->name);
		else
			buffer_printf(&text, "failed %s: %s\n", check->name, check->detail);
	}
	if (ready && text.len == 0)
		buffer_printf(&text, "ok\n");
	response_json(response, ready ? 200 : 503, &text);
	response->is_json = false;
	response->headers[response->header_count - 1].value = "text/plain; charset=utf-8";
}

static enum handler_step sync_start(struct request *request, struct response *response)
{
	(void)response;
	cache_op_init(&request->op, CACHE_OP_SYNC);
	return STEP_SUBMIT;
}

static void sync_finish(struct request *request, struct response *response)
{
	if (request->op.status != CACHE_OK)
		respond_op_failure(request, response);
	else
		response->status = 204;
}

const struct handler handler_healthz = {.start = healthz_start};
const struct handler handler_readyz = {.start = readyz_start, .finish = readyz_finish};
const struct handler handler_sync = {.start = sync_start, .finish = sync_finish};
