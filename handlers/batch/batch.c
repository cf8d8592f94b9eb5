/* /batch/{ns}/...: the batch calls of /api for every language; the name is in the path. */
#include "handlers/batch/call.h"
#include "handlers/batch/call_items.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"

static enum handler_step batch_exists_start(struct request *request, struct response *response)
{
	if (!call_open_batch(request, response, CACHE_OP_EXISTS) ||
	    !call_items_read_keys(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

static enum handler_step batch_expire_start(struct request *request, struct response *response)
{
	const struct call *call = call_open_batch(request, response, CACHE_OP_EXPIRE);
	int64_t ttl_s = TTL_DEFAULT;

	if (!call ||
	    !json_in_whole(request, response, "", &call->scanned[SCANNED_TTL], TTL_MAX_S, &ttl_s))
		return STEP_RESPOND;
	if (ttl_s == TTL_DEFAULT) {
		respond_error(
			request, response, 400,
			"\"ttl\" is missing: how long the entries are to live from now on, in "
			"seconds; 0 for ever");
		return STEP_RESPOND;
	}
	if (!call_items_read_keys(request, response))
		return STEP_RESPOND;
	for (size_t i = 0; i < request->op.item_count; i++)
		request->op.items[i].ttl_s = ttl_s;
	return STEP_SUBMIT;
}

const struct handler handler_batch_get = {
	.start = call_items_start_get,
	.finish = call_finish_results,
	.cleanup = call_close,
};
const struct handler handler_batch_set = {
	.start = call_items_start_set,
	.finish = call_finish_success,
	.cleanup = call_close,
};
const struct handler handler_batch_delete = {
	.start = call_items_start_delete,
	.finish = call_finish_success,
	.cleanup = call_close,
};
const struct handler handler_batch_exists = {
	.start = batch_exists_start,
	.finish = call_finish_results,
	.cleanup = call_close,
};
const struct handler handler_batch_expire = {
	.start = batch_expire_start,
	.finish = call_finish_results,
	.cleanup = call_close,
};
