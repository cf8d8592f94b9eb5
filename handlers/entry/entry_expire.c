/* PATCH of /cache/{ns}/{key}: another time to live for an entry, without its value. */
#include <stdlib.h>

#include "handlers/entry/entry_ttl.h"
#include "handlers/entry/entry_write.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"

static enum handler_step expire_start(struct request *request, struct response *response)
{
	int64_t *ttl_s = &request->op.one.ttl_s;

	request->state = malloc(sizeof(struct etag_list));
	if (!entry_write_start(request, response, CACHE_OP_EXPIRE, request->state) ||
	    !entry_ttl_read(request, response, ttl_s))
		return STEP_RESPOND;
	if (*ttl_s == TTL_DEFAULT)
		respond_error(request, response, 400,
			      "say how long the entry is to live from now on: ?ttl= in seconds, 0 "
			      "for ever");
	else if (request_body(request).len > 0)
		respond_error(
			request, response, 415,
			"PATCH changes the time to live (?ttl=) and takes no body; PUT stores "
			"a value");
	else
		return STEP_SUBMIT;
	return STEP_RESPOND;
}

static void expire_finish(struct request *request, struct response *response)
{
	if (request->op.status == CACHE_NOT_FOUND)
		respond_error(request, response, 404, "no such entry");
	else if (request->op.status != CACHE_OK)
		respond_op_failure(request, response);
	else
		response->status = 204;
}

const struct handler handler_entry_expire = {
	.start = expire_start,
	.finish = expire_finish,
	.cleanup = entry_write_cleanup,
};
