#include "handlers/entry/entry_write.h"

#include <stdlib.h>

#include "handlers/entry/entry_headers.h"
#include "handlers/entry/entry_ttl.h"
#include "handlers/flight/single_flight.h"
#include "handlers/respond/conditions.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

static bool check_put_headers(const struct request *request, struct response *response)
{
	const char *type = request_header(request, "Content-Type");

	if (request_header(request, "Content-Range"))
		respond_error(request, response, 400,
			      "a PUT replaces the whole value; "
			      "send it without Content-Range");
	else if (type && *type != '\0' && !content_type_is_valid(slice_of(type)))
		respond_error(request, response, 400,
			      "Content-Type may have up to %d characters, printable ones of ASCII",
			      CONTENT_TYPE_MAX_LEN);
	else
		return entry_headers_fit(request, response);
	return false;
}

struct slice entry_write_lease_token(const char *header)
{
	return (struct slice){.data = header, .len = strcspn(header, "; ")};
}

bool entry_write_start(struct request *request, struct response *response, enum cache_op_type type,
		       struct etag_list *list)
{
	cache_op_init(&request->op, type);
	if (!respond_key_fits(request, response))
		return false;
	request->op.ns = request->ns;
	request->op.one.key = request->key;
	if (!list) {
		respond_error(request, response, 503, "%s", status_text(CACHE_NO_MEMORY));
		return false;
	}
	return conditions_of_write(request, response, list);
}

bool entry_write_check_lease(const struct request *request, struct response *response,
			     const char *header)
{
	return !header ||
	       flight_lease_check_token(request, response, entry_write_lease_token(header));
}

static bool limit_to_creation(struct request *request)
{
	if (request->only_creates)
		request->op.one.condition = (struct cache_condition){.kind = CONDITION_ABSENT};
	return true;
}

bool entry_write_start_put(struct request *request, struct response *response,
			   struct etag_list *list)
{
	return entry_write_start(request, response, CACHE_OP_SET, list) &&
	       limit_to_creation(request) &&
	       entry_write_check_lease(request, response, request_header(request, "Lease")) &&
	       check_put_headers(request, response) &&
	       entry_ttl_read(request, response, &request->op.one.ttl_s);
}

void entry_write_finish_put(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	response->status = op->put_status > 0 ? op->put_status : op->one.created ? 201 : 204;
	etag_format(&op->one.value->etag, response_header_room(response, "ETag", ETAG_TEXT_LEN));
}

void entry_write_cleanup(struct request *request)
{
	if (request->op.type == CACHE_OP_SET) {
		cache_value_release(request->op.one.value);
		request->op.one.value = NULL;
	}
	free(request->state);
	request->state = NULL;
}

bool entry_write_lease(const struct request *request, struct named_lease *ret)
{
	const char *header = request_header(request, "Lease");

	if (!header)
		return false;
	*ret = (struct named_lease){
		.ns = request->ns,
		.key = request->key,
		.token = entry_write_lease_token(header),
	};
	return true;
}
