/* PUT of a value that is too large to be in memory: it goes to a spool (base/spool.h) as it
 * arrives, and at its end one SET stores it under its conditions. Until then nobody sees anything
 * of it, and an upload that is cut off leaves nothing.
 *
 * Pieces gather until there are enough for one write, which runs beside the event loop; meanwhile
 * nothing more is read. So an upload takes constant memory, and its sender is as fast as the disk.
 *
 * A namespace in which the value has no room, a condition that fails already, or a store that
 * cannot be reached, is told at the beginning; what counts is the SET. */
#include <inttypes.h>
#include <stdlib.h>

#include "handlers/entry/entry_headers.h"
#include "handlers/entry/entry_write.h"
#include "handlers/handlers.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

/* How much is written at a time. */
#define GATHER_BYTES ((size_t)256 << 10)
/* Room for that and the piece with which it is reached. */
#define ROOM_BYTES (GATHER_BYTES + ((size_t)64 << 10))

enum upload_state {
	UPLOAD_BEGINS,
	UPLOAD_MEASURES, /* a STATS is to tell how much the namespace may hold */
	UPLOAD_CHECKS,   /* a GET is to tell whether the condition fails already */
	UPLOAD_RECEIVES,
	UPLOAD_STORES,
};

struct entry_upload {
	enum upload_state state;
	bool is_end;            /* all of the body has come */
	struct etag_list etags; /* of the condition */
	struct cache_condition condition;
	int64_t ttl_s;
	uint64_t max_bytes; /* the most that the namespace may hold; UINT64_MAX: unknown */
	struct body_spool *spool;
	struct buffer gathered;
};

static enum handler_step upload_start(struct request *request, struct response *response)
{
	struct backend *backend = request->context->backend;
	struct entry_upload *upload = calloc(1, sizeof(*upload));

	request->state = upload;
	if (!entry_write_start_put(request, response, upload ? &upload->etags : NULL) || !upload)
		return STEP_RESPOND;
	upload->condition = request->op.one.condition;
	upload->ttl_s = request->op.one.ttl_s;
	upload->max_bytes = UINT64_MAX;
	upload->spool = backend->ops->spool(backend);
	if (upload->spool && buffer_reserve(&upload->gathered, ROOM_BYTES))
		return STEP_READ;
	respond_error(request, response, status_http(CACHE_NO_MEMORY), "%s",
		      status_text(CACHE_NO_MEMORY));
	return STEP_RESPOND;
}

static void upload_cleanup(struct request *request)
{
	struct entry_upload *upload = request->state;

	if (upload && upload->spool)
		upload->spool->ops->close(upload->spool);
	if (upload)
		buffer_deinit(&upload->gathered);
	entry_write_cleanup(request);
}

static void upload_take(struct request *request, struct slice piece)
{
	struct entry_upload *upload = request->state;

	buffer_append(&upload->gathered, piece);
}

/* Answers a failure. The rest of the body is not read. */
static enum handler_step refuse(struct request *request, struct response *response,
				enum cache_status status, const char *detail)
{
	const struct entry_upload *upload = request->state;

	request->op.status = status;
	request->op.detail = detail;
	response->close = !upload->is_end;
	respond_op_failure(request, response);
	return STEP_RESPOND;
}

/* ---- The namespace and the entry as they are ---- */

static enum handler_step measure(struct request *request, struct entry_upload *upload)
{
	upload->state = UPLOAD_MEASURES;
	cache_op_init(&request->op, CACHE_OP_STATS);
	request->op.ns = request->ns;
	return STEP_SUBMIT;
}

static enum handler_step refuse_size(struct request *request, struct response *response)
{
	return refuse(request, response, CACHE_TOO_LARGE, NULL);
}

/* Whether a failure would be the SET's, too. */
static bool is_out_of_reach(enum cache_status status)
{
	unsigned http = status_http(status);

	return http == 503 || http == 504;
}

/* STEP_READ: nothing is known that would refuse the SET. */
static enum handler_step check_size(struct request *request, struct response *response,
				    struct entry_upload *upload)
{
	const struct cache_op *op = &request->op;

	upload->state = UPLOAD_RECEIVES;
	if (is_out_of_reach(op->status))
		return refuse(request, response, op->status, op->detail);
	if (op->status == CACHE_OK && op->stats_count == 1 &&
	    op->stats->settings.max_size_bytes > 0)
		upload->max_bytes = op->stats->settings.max_size_bytes;
	if (request->declared_bytes != UINT64_MAX && request->declared_bytes > upload->max_bytes)
		return refuse_size(request, response);
	cache_op_deinit(&request->op);
	cache_op_init(&request->op, CACHE_OP_GET);
	return STEP_READ;
}

static enum handler_step ask(struct request *request, struct entry_upload *upload)
{
	struct cache_op *op = &request->op;

	upload->state = UPLOAD_CHECKS;
	cache_op_deinit(op);
	cache_op_init(op, CACHE_OP_GET);
	op->ns = request->ns;
	op->one.key = request->key;
	op->no_touch = true;
	op->takes_bodies = true;
	return STEP_SUBMIT;
}

/* STEP_READ: nothing is known that would refuse the SET. */
static enum handler_step check(struct request *request, struct response *response,
			       struct entry_upload *upload)
{
	struct cache_op *op = &request->op;
	const struct cache_value *value = op->one.value;
	enum cache_status status = op->status;

	upload->state = UPLOAD_RECEIVES;
	if (is_out_of_reach(status))
		return refuse(request, response, status, op->detail);
	if ((status == CACHE_OK || status == CACHE_NOT_FOUND) &&
	    !cache_condition_holds(&upload->condition, value ? &value->etag : NULL))
		return refuse(request, response, CACHE_PRECONDITION_FAILED, NULL);
	return STEP_READ;
}

/* ---- The body ---- */

static enum handler_step refuse_length(struct request *request, struct response *response,
				       const struct entry_upload *upload)
{
	response->close = !upload->is_end;
	respond_error(request, response, status_http(CACHE_TOO_LARGE),
		      "the value is larger than %" PRIu64 " bytes (STEADYCACHE_LARGE_VALUE_MAX_MB)",
		      request->context->intake.max_bytes);
	return STEP_RESPOND;
}

static uint64_t received_bytes(const struct entry_upload *upload)
{
	return upload->spool->len_bytes + upload->gathered.len;
}

static bool write_gathered(struct entry_upload *upload)
{
	struct body_spool *spool = upload->spool;

	if (upload->gathered.len > 0 && !spool->ops->write(spool, buffer_bytes(&upload->gathered)))
		return false;
	upload->gathered.len = 0;
	return true;
}

/* Fills the op with the SET. */
static enum handler_step store(struct request *request, struct response *response,
			       struct entry_upload *upload)
{
	struct entry_head head;
	struct body_spool *spool = upload->spool;
	struct cache_body *body = spool->ops->end(spool);
	struct cache_op *op = &request->op;

	if (!body)
		return refuse(request, response, spool->failure, spool->detail);
	entry_headers_read(request, &head);
	struct cache_value *value = cache_value_create_for_body(body, value_head_text(&head.room));
	if (!value) {
		cache_body_release(body);
		return refuse(request, response, CACHE_NO_MEMORY, NULL);
	}
	cache_op_deinit(op);
	cache_op_init(op, CACHE_OP_SET);
	op->ns = request->ns;
	op->one.key = request->key;
	op->one.ttl_s = upload->ttl_s;
	op->one.condition = upload->condition;
	op->one.value = value;
	upload->state = UPLOAD_STORES;
	return STEP_SUBMIT;
}

static enum handler_step receive(struct request *request, struct response *response,
				 struct entry_upload *upload, bool is_end)
{
	if (upload->gathered.failed)
		return refuse(request, response, CACHE_NO_MEMORY, NULL);
	if (received_bytes(upload) > request->context->intake.max_bytes)
		return refuse_length(request, response, upload);
	if (received_bytes(upload) > upload->max_bytes)
		return refuse_size(request, response);
	if (request->is_given_up)
		return refuse(request, response, CACHE_UNAVAILABLE,
			      "the server is stopping; send the value again");
	if (!is_end && upload->gathered.len < GATHER_BYTES)
		return STEP_READ;
	if (!write_gathered(upload))
		return refuse(request, response, upload->spool->failure, upload->spool->detail);
	return is_end ? store(request, response, upload) : STEP_READ;
}

static enum handler_step upload_proceed(struct request *request, struct response *response,
					bool is_end)
{
	struct entry_upload *upload = request->state;
	enum handler_step step;

	upload->is_end = is_end;
	switch (upload->state) {
	case UPLOAD_BEGINS:
		return measure(request, upload);
	case UPLOAD_MEASURES:
		step = check_size(request, response, upload);
		if (step != STEP_RESPOND && upload->condition.kind != CONDITION_NONE)
			return ask(request, upload);
		/* Without is_end this is an event loop. */
		if (step == STEP_RESPOND || !is_end)
			return step;
		break;
	case UPLOAD_CHECKS:
		step = check(request, response, upload);
		/* Without is_end this is an event loop. */
		if (step == STEP_RESPOND || !is_end)
			return step;
		break;
	case UPLOAD_RECEIVES:
		break;
	case UPLOAD_STORES:
		entry_write_finish_put(request, response);
		return STEP_RESPOND;
	}
	return receive(request, response, upload, is_end);
}

static bool upload_is_long(const struct request *request, bool is_end)
{
	const struct entry_upload *upload = request->state;

	if (upload->state == UPLOAD_STORES)
		return false;
	return is_end || (upload->state == UPLOAD_RECEIVES && upload->gathered.len >= GATHER_BYTES);
}

const struct handler handler_entry_upload = {
	.start = upload_start,
	.cleanup = upload_cleanup,
	.lease = entry_write_lease,
	.take = upload_take,
	.proceed = upload_proceed,
	.is_long = upload_is_long,
};
