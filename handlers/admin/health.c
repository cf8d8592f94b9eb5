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

/* `backend`: one of several, or NULL. */
static void append_check(struct buffer *text, const char *backend,
			 const struct cache_health_check *check)
{
	buffer_printf(text, "%s %s%s%s", check->ok ? "ok" : "failed", backend ? backend : "",
		      backend ? " " : "", check->name);
	if (!check->ok || *check->detail)
		buffer_printf(text, ": %s", check->detail);
	buffer_append_char(text, '\n');
}

/* What each of several backends says. */
static void append_branch(struct buffer *text, const struct cache_branch *branch)
{
	if (branch->status != CACHE_OK)
		buffer_printf(text, "failed %s\n", branch->detail);
	for (size_t i = 0; i < branch->check_count; i++)
		append_check(text, branch->name, &branch->checks[i]);
}

static void readyz_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	struct buffer text = {0};
	bool ready = op->status == CACHE_OK;

	if (!ready)
		buffer_printf(&text, "failed backend: %s\n", status_text(op->status));
	for (size_t i = 0; i < op->check_count; i++) {
		ready &= op->checks[i].ok;
		append_check(&text, NULL, &op->checks[i]);
	}
	for (size_t i = 0; i < op->branch_count; i++)
		append_branch(&text, &op->branches[i]);
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
