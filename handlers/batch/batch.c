/* /batch/{ns}/...: the batch calls of /api for every language; the name is in the path. */
#include "handlers/batch/call.h"

static enum handler_step batch_exists_start(struct request *request, struct response *response)
{
	if (!call_open_batch(request, response, CACHE_OP_EXISTS) ||
	    !call_read_keys(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

const struct handler batch_get_handler = {
	.start = call_start_batch_get,
	.finish = call_finish_results,
	.cleanup = call_close,
};
const struct handler batch_set_handler = {
	.start = call_start_batch_set,
	.finish = call_finish_success,
	.cleanup = call_close,
};
const struct handler batch_delete_handler = {
	.start = call_start_batch_delete,
	.finish = call_finish_success,
	.cleanup = call_close,
};
const struct handler batch_exists_handler = {
	.start = batch_exists_start,
	.finish = call_finish_results,
	.cleanup = call_close,
};
