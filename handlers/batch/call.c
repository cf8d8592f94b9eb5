#include "handlers/batch/call.h"

#include <stdlib.h>

#include "base/json_out.h"
#include "handlers/json/head_json.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

void call_respond_no_memory(const struct request *request, struct response *response)
{
	respond_error(request, response, status_http(CACHE_NO_MEMORY), "%s",
		      status_text(CACHE_NO_MEMORY));
}

static struct call *create_call(struct request *request, struct response *response,
				enum cache_op_type type)
{
	struct call *call = calloc(1, sizeof(*call));

	cache_op_init(&request->op, type);
	request->state = call;
	if (call)
		call->is_batch_route = request->ns.len > 0;
	else
		call_respond_no_memory(request, response);
	return call;
}

static bool check_cache_name(const struct request *request, struct response *response)
{
	if (namespace_name_is_valid(request->op.ns))
		return true;
	respond_error(request, response, 400,
		      "\"cache_name\" must be 1 to %d letters, digits, '_', '.' or '-', and not "
		      "begin with '.' or '-'",
		      NAMESPACE_MAX_LEN);
	return false;
}

/* The members of a call of that type; others in the body are ignored, whatever they contain. */
static void ask_members(struct call *call, enum cache_op_type type, bool is_single)
{
	struct scan_member *members = call->scanned;

	if (!call->is_batch_route)
		members[SCANNED_CACHE_NAME] =
			(struct scan_member){.name = SLICE("cache_name"), .required = true};
	if (type == CACHE_OP_CONFIGURE)
		members[SCANNED_MAX_SIZE_MB] =
			(struct scan_member){.name = SLICE("max_size_mb"), .type = SCAN_ANY};
	if (type == CACHE_OP_EXPIRE)
		members[SCANNED_TTL] = (struct scan_member){.name = SLICE("ttl"), .type = SCAN_ANY};
	if (!is_single)
		return;
	members[SCANNED_KEY] = (struct scan_member){.name = SLICE("key"), .required = true};
	if (type == CACHE_OP_SET) {
		members[SCANNED_VALUE] =
			(struct scan_member){.name = SLICE("value"), .required = true};
		members[SCANNED_SIZE] =
			(struct scan_member){.name = SLICE("size"), .type = SCAN_WHOLE};
	}
	if (type == CACHE_OP_SET || type == CACHE_OP_GET)
		members[SCANNED_LEASE] =
			(struct scan_member){.name = SLICE("lease"), .type = SCAN_ANY};
	if (type == CACHE_OP_GET)
		members[SCANNED_WAIT] =
			(struct scan_member){.name = SLICE("wait"), .type = SCAN_ANY};
}

/* Reads the body into the call: with json_scan if that accepts it. */
static bool read_body(struct request *request, struct response *response, struct call *call,
		      size_t fast_count, struct scan_list *list)
{
	struct cache_value *body = request->body;

	if (body && (fast_count > 0 || list) &&
	    json_scan(cache_value_data(body), body->len_bytes, call->scanned, fast_count, list)) {
		if (list) {
			list->is_there = true;
			list->is_array = true;
			list->first_wrong = SIZE_MAX;
		}
	} else {
		for (size_t i = 0; i < SCANNED_MEMBERS; i++)
			call->scanned[i].found = false;
		if (!json_in_read(request, response, call->scanned, SCANNED_MEMBERS, list, NULL))
			return false;
	}
	request->op.ns = request->ns;
	return call->is_batch_route ||
	       (json_in_string(request, response, "", &call->scanned[SCANNED_CACHE_NAME],
			       &request->op.ns) &&
		check_cache_name(request, response));
}

struct call *call_open(struct request *request, struct response *response, enum cache_op_type type)
{
	struct call *call = create_call(request, response, type);

	if (!call)
		return NULL;
	ask_members(call, type, false);
	return read_body(request, response, call, 0, NULL) ? call : NULL;
}

struct call *call_open_single(struct request *request, struct response *response,
			      enum cache_op_type type)
{
	struct call *call = create_call(request, response, type);

	if (!call)
		return NULL;
	ask_members(call, type, true);
	return read_body(request, response, call,
			 type == CACHE_OP_SET ? SCANNED_FAST : SCANNED_VALUE, NULL)
		       ? call
		       : NULL;
}

/* A batch may return twice what it could set. */
static size_t answer_max_bytes(const struct request *request)
{
	return 2 * request->context->max_body_bytes;
}

struct call *call_open_batch(struct request *request, struct response *response,
			     enum cache_op_type type)
{
	static const struct scan_member item_members[SCANNED_ITEM_MEMBERS] = {
		[SCANNED_ITEM_KEY] = {.name = SLICE("key"), .required = true},
		[SCANNED_ITEM_VALUE] = {.name = SLICE("value"), .required = true},
		[SCANNED_ITEM_SIZE] = {.name = SLICE("size"), .type = SCAN_WHOLE},
		[SCANNED_ITEM_TTL] = {.name = SLICE("ttl"), .type = SCAN_WHOLE},
		[SCANNED_ITEM_CONTENT_TYPE] = {.name = SLICE("content_type")},
		[SCANNED_ITEM_ENCODING] = {.name = SLICE("encoding")},
		[SCANNED_ITEM_HEADERS] = {.name = SLICE("headers"), .type = SCAN_OBJECT},
	};
	struct call *call = create_call(request, response, type);

	if (!call)
		return NULL;
	ask_members(call, type, false);
	if (type == CACHE_OP_GET)
		request->op.max_value_bytes = answer_max_bytes(request);
	call->list = (struct scan_list){.name = SLICE("keys"),
					.max_count = request->context->max_batch_items};
	if (type == CACHE_OP_SET) {
		call->list.name = SLICE("items");
		call->list.members = item_members;
		call->list.member_count =
			call->is_batch_route ? SCANNED_ITEM_MEMBERS : SCANNED_ITEM_TTL;
	}
	/* The name of the namespace is the first of the members, or in the path. */
	return read_body(request, response, call, call->is_batch_route ? 0 : 1, &call->list) ? call
											     : NULL;
}

/* ---- Answers ---- */

static bool is_done(const struct cache_op *op, const struct cache_item *item)
{
	return item->status == CACHE_OK ||
	       (op->type == CACHE_OP_DELETE && item->status == CACHE_NOT_FOUND);
}

/* Items of a failed batch that were stored or deleted all the same (cache_op.status). */
static size_t count_done(const struct cache_op *op)
{
	size_t done = 0;

	for (size_t i = 0; op->item_count > 1 && i < op->item_count; i++)
		done += is_done(op, &op->items[i]);
	return done;
}

/* Says which items of a batch failed. */
static void respond_partial_failure(const struct request *request, struct response *response,
				    size_t done)
{
	const struct cache_op *op = &request->op;
	unsigned status = status_http(op->status);
	bool is_first = true;
	struct buffer detail = {0}, json = {0};

	buffer_printf(&detail, "%s; %zu of the %zu items were %s, \"failed\" has the others",
		      op->detail ? op->detail : status_text(op->status), done, op->item_count,
		      op->type == CACHE_OP_SET ? "stored" : "deleted");
	json_out_raw(&json, "{");
	if (request->error_style == ERROR_D1) {
		json_out_raw(&json, "\"error\":");
		json_out_string(&json, buffer_bytes(&detail));
	} else {
		respond_problem_append(&json, status, buffer_bytes(&detail));
	}
	json_out_raw(&json, ",\"failed\":[");
	for (size_t i = 0; i < op->item_count; i++) {
		if (is_done(op, &op->items[i]))
			continue;
		json_out_raw(&json, is_first ? "" : ",");
		json_out_string(&json, op->items[i].key);
		is_first = false;
	}
	json_out_raw(&json, "]}");
	json.failed |= detail.failed;
	buffer_deinit(&detail);
	if (respond_retry_after_s(op) > 0)
		response_header_printf(response, "Retry-After", "%u", respond_retry_after_s(op));
	if (request->error_style == ERROR_D1)
		response_json(response, status, &json);
	else
		respond_problem(response, status, &json);
}

void call_finish_success(struct request *request, struct response *response)
{
	size_t done = request->op.status != CACHE_OK ? count_done(&request->op) : 0;

	if (done > 0) {
		respond_partial_failure(request, response, done);
		return;
	}
	/* Deleting a missing entry is a success too. */
	if (request->op.status != CACHE_OK && request->op.status != CACHE_NOT_FOUND) {
		respond_op_failure(request, response);
		return;
	}
	response_text(response, 200, "application/json; charset=UTF-8", "{\"success\":true}");
	response->is_json = true;
}

static void append_result(struct buffer *json, const struct cache_op *op,
			  const struct cache_item *item, bool with_type)
{
	json_out_string(json, item->key);
	if (op->type == CACHE_OP_EXISTS || op->type == CACHE_OP_EXPIRE) {
		json_out_raw(json, item->status == CACHE_OK ? ":{\"exists\":true}"
							    : ":{\"exists\":false}");
		return;
	}
	if (item->status != CACHE_OK) {
		json_out_raw(json, ":{\"found\":false}");
		return;
	}
	json_out_raw(json, ":{\"found\":true,");
	json_out_value(json, item->value);
	if (with_type) {
		json_out_raw(json, ",\"content_type\":");
		json_out_string(json, slice_of(cache_value_content_type(item->value)));
		head_json_append(json, item->value);
	}
	json_out_raw(json, "}");
}

static void respond_too_large(const struct request *request, struct response *response)
{
	respond_error(request, response, 413,
		      "the values have more than %zu bytes together; ask for fewer keys at a time "
		      "(STEADYCACHE_MAX_BODY_MB)",
		      answer_max_bytes(request));
}

void call_finish_results(struct request *request, struct response *response)
{
	const struct call *call = request->state;
	struct buffer json = {0};

	if (request->op.status == CACHE_TOO_LARGE && request->op.max_value_bytes > 0) {
		respond_too_large(request, response);
		return;
	}
	if (request->op.status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	json_out_raw(&json, "{\"results\":{");
	for (size_t i = 0; i < request->op.item_count && json.len <= answer_max_bytes(request);
	     i++) {
		if (i > 0)
			json_out_raw(&json, ",");
		append_result(&json, &request->op, &request->op.items[i], call->is_batch_route);
	}
	if (json.len > answer_max_bytes(request)) {
		buffer_deinit(&json);
		respond_too_large(request, response);
		return;
	}
	json_out_raw(&json, "}}");
	response_json(response, 200, &json);
}

void call_close(struct request *request)
{
	struct call *call = request->state;

	if (!call)
		return;
	if (request->op.type == CACHE_OP_SET)
		for (size_t i = 0; i < request->op.item_count; i++)
			cache_value_release(request->op.items[i].value);
	else
		cache_op_deinit(&request->op); /* before the items that it points to are freed */
	request->op.items = &request->op.one;
	request->op.item_count = 0;
	free(call->items);
	free(call->list.found);
	free(call);
	request->state = NULL;
}
