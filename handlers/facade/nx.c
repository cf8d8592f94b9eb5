/* PUT of Nx's remote cache: what is there stays (409), and success is 200. */
#include "handlers/handlers.h"
#include "handlers/respond/error.h"

static void answer_as_nx(const struct request *request, struct response *response)
{
	bool close = response->close;

	if (response->status == 201 || response->status == 204)
		response->status = 200;
	if (response->status != 412)
		return;
	response_deinit(response);
	response_init(response);
	response->close = close;
	respond_error(request, response, 409, "the cache has this artifact already, and it stays");
}

static enum handler_step put_start(struct request *request, struct response *response)
{
	request->only_creates = true;
	return handler_entry_put.start(request, response);
}

static void put_finish(struct request *request, struct response *response)
{
	handler_entry_put.finish(request, response);
	answer_as_nx(request, response);
}

static bool put_lease(const struct request *request, struct named_lease *ret)
{
	return handler_entry_put.lease(request, ret);
}

static void put_cleanup(struct request *request)
{
	handler_entry_put.cleanup(request);
}

/* ---- A value that is too large to be in memory ---- */

static enum handler_step upload_start(struct request *request, struct response *response)
{
	request->only_creates = true;
	return handler_entry_upload.start(request, response);
}

static void upload_take(struct request *request, struct slice piece)
{
	handler_entry_upload.take(request, piece);
}

static enum handler_step upload_proceed(struct request *request, struct response *response,
					bool is_end)
{
	enum handler_step step = handler_entry_upload.proceed(request, response, is_end);

	if (step == STEP_RESPOND)
		answer_as_nx(request, response);
	return step;
}

static bool upload_is_long(const struct request *request, bool is_end)
{
	return handler_entry_upload.is_long(request, is_end);
}

static void upload_cleanup(struct request *request)
{
	handler_entry_upload.cleanup(request);
}

static const struct handler upload = {
	.start = upload_start,
	.cleanup = upload_cleanup,
	.lease = put_lease,
	.take = upload_take,
	.proceed = upload_proceed,
	.is_long = upload_is_long,
};
const struct handler handler_nx_put = {
	.start = put_start,
	.finish = put_finish,
	.cleanup = put_cleanup,
	.lease = put_lease,
	.streamed = &upload,
};
