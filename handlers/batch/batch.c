/* /batch/{ns}/...: the batch calls of /api for every language; the name is in the path. */
#include "handlers/batch/call.h"
#include "handlers/batch/call_items.h"
#include "handlers/handlers.h"

static enum handler_step batch_exists_start(struct request *request, struct response *response)
{
	if (!call_open_batch(request, response, CACHE_OP_EXISTS) ||
	    !call_items_read_keys(request, response))
		return STEP_RESPOND;
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
