/* PUT and DELETE of /cache/{ns}/{key}. */
#include <stdlib.h>

#include "handlers/entry/entry_headers.h"
#include "handlers/entry/entry_write.h"
#include "handlers/flight/single_flight.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

static enum handler_step entry_put_start(struct request *request, struct response *response)
{
	struct entry_head head;

	request->state = malloc(sizeof(struct etag_list));
	if (!entry_write_start_put(request, response, request->state))
		return STEP_RESPOND;
	if (!request->body) {
		entry_headers_read(request, &head);
		request->body = cache_value_create_with_headroom(
			0, value_head_text(&head.room),
			backend_headroom(request->context->backend, request->op.ns,
					 request->op.one.key.len));
	}
	if (!request->body) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return STEP_RESPOND;
	}
	cache_value_seal(request->body);
	request->op.one.value = request->body;
	request->body = NULL;
	return STEP_SUBMIT;
}

/* DELETE with a Lease: gives the lease back and leaves the entry alone. */
static enum handler_step release_lease(struct request *request, struct response *response,
				       const char *header)
{
	const struct named_lease lease = {
		.ns = request->ns,
		.key = request->key,
		.token = entry_write_lease_token(header),
	};

	cache_op_init(&request->op, CACHE_OP_DELETE);
	if (!respond_key_fits(request, response) ||
	    !entry_write_check_lease(request, response, header))
		return STEP_RESPOND;
	switch (flight_lease_release(request, &lease)) {
	case RELEASE_ASK:
		return STEP_SUBMIT;
	case RELEASE_DONE:
	case RELEASE_OVER:
		response->status = 204;
		break;
	case RELEASE_UNKNOWN:
		respond_error(request, response, 404,
			      "no such lease on this key: it was never given");
		break;
	}
	return STEP_RESPOND;
}

static enum handler_step entry_delete_start(struct request *request, struct response *response)
{
	const char *lease = request_header(request, "Lease");

	if (lease)
		return release_lease(request, response, lease);
	request->state = malloc(sizeof(struct etag_list));
	return entry_write_start(request, response, CACHE_OP_DELETE, request->state) ? STEP_SUBMIT
										     : STEP_RESPOND;
}

static void entry_delete_finish(struct request *request, struct response *response)
{
	if (request->op.status != CACHE_OK)
		respond_op_failure(request, response);
	else
		response->status = 204;
}

const struct handler handler_entry_put = {
	.start = entry_put_start,
	.finish = entry_write_finish_put,
	.cleanup = entry_write_cleanup,
	.lease = entry_write_lease,
	.streamed = &handler_entry_upload,
};
const struct handler handler_entry_delete = {
	.start = entry_delete_start,
	.finish = entry_delete_finish,
	.cleanup = entry_write_cleanup,
};
