/* WebDAV (RFC 4918, class 1) as far as clients need it that keep files here: PROPFIND and MKCOL.
 *
 * A path that ends with a slash is a collection: of the keys that begin with it. It is there
 * without being made, and whether it has members or not. A path without one is an entry, else, if
 * there are keys below it, a collection. What a PROPFIND asks for in its body does not matter: it
 * gets all properties that there are. */
#include <stdlib.h>

#include "handlers/facade/webdav_list.h"
#include "handlers/facade/webdav_xml.h"
#include "handlers/handlers.h"
#include "handlers/json/stats_json.h"
#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

/* Longest body of a PROPFIND. */
#define BODY_MAX_BYTES 65536

/* A missing one is "infinity" (RFC 4918, 9.1). False: answered. */
static bool read_depth(const struct request *request, struct response *response, bool *ret_members)
{
	const char *depth = request_header(request, "Depth");

	*ret_members = depth && strcmp(depth, "1") == 0;
	if (*ret_members || (depth && strcmp(depth, "0") == 0))
		return true;
	response_text(response, 403, WEBDAV_XML_TYPE,
		      "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
		      "<D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>\n");
	return false;
}

static void respond_no_memory(const struct request *request, struct response *response)
{
	respond_error(request, response, status_http(CACHE_NO_MEMORY), "%s",
		      status_text(CACHE_NO_MEMORY));
}

/* Takes over the bytes. */
static void respond_xml(const struct request *request, struct response *response,
			struct buffer *xml)
{
	if (xml->failed) {
		buffer_deinit(xml);
		respond_no_memory(request, response);
		return;
	}
	response->status = 207;
	response->body = BODY_BUFFER;
	response->buffer = *xml;
	response_header_static(response, "Content-Type", WEBDAV_XML_TYPE);
	response_header_static(response, "Cache-Control", "no-store");
}

static void respond_collection(const struct request *request, struct response *response,
			       struct slice prefix)
{
	struct buffer xml = {0};

	webdav_xml_begin(&xml);
	webdav_xml_collection(&xml, request->ns, prefix, request->context->started_at_us);
	webdav_xml_end(&xml);
	respond_xml(request, response, &xml);
}

/* ---- PROPFIND of /cache/{ns}/{key} ---- */

enum find_state {
	FIND_BEGINS,
	FIND_ENTRY,   /* a GET is to tell whether there is an entry */
	FIND_BELOW,   /* a SCAN is to tell whether there are keys below the path */
	FIND_MEMBERS, /* ... and which, the first of them */
};

struct find {
	enum find_state state;
	bool members; /* Depth is 1 */
	size_t body_bytes;
	size_t prefix_len;
	char prefix[]; /* the key, with a slash at its end unless it is empty */
};

static enum handler_step find_start(struct request *request, struct response *response)
{
	struct slice key = request->key;
	bool members = false;

	cache_op_init(&request->op, CACHE_OP_GET);
	if (!respond_key_fits(request, response) || !read_depth(request, response, &members))
		return STEP_RESPOND;
	struct find *find = calloc(1, sizeof(*find) + key.len + 1);
	request->state = find;
	if (!find) {
		respond_no_memory(request, response);
		return STEP_RESPOND;
	}
	find->members = members;
	if (key.len == 0)
		return STEP_READ;
	memcpy(find->prefix, key.data, key.len);
	find->prefix_len = key.len;
	if (key.data[key.len - 1] != '/')
		find->prefix[find->prefix_len++] = '/';
	return STEP_READ;
}

static void find_cleanup(struct request *request)
{
	free(request->state);
	request->state = NULL;
}

static void find_take(struct request *request, struct slice piece)
{
	struct find *find = request->state;

	find->body_bytes += piece.len;
}

static struct slice prefix_of(const struct find *find)
{
	return (struct slice){.data = find->prefix, .len = find->prefix_len};
}

static enum handler_step ask_entry(struct request *request, struct find *find)
{
	struct cache_op *op = &request->op;

	find->state = FIND_ENTRY;
	op->ns = request->ns;
	op->one.key = request->key;
	op->no_touch = true;
	op->takes_bodies = true;
	return STEP_SUBMIT;
}

static enum handler_step ask_below(struct request *request, struct find *find)
{
	struct cache_op *op = &request->op;

	find->state = find->members ? FIND_MEMBERS : FIND_BELOW;
	cache_op_deinit(op);
	cache_op_init(op, CACHE_OP_SCAN);
	webdav_list_ask(op, request->ns, prefix_of(find));
	if (!find->members) {
		op->limit = 1;
		op->any_order = true;
	}
	return STEP_SUBMIT;
}

static enum handler_step show_entry(struct request *request, struct response *response)
{
	const struct cache_value *value = request->op.one.value;
	const struct webdav_file file = {
		.len_bytes = cache_value_whole_len(value),
		.etag = &value->etag,
		.content_type = cache_value_content_type(value),
		.modified_at_us = value->modified_at_us,
	};
	struct buffer xml = {0};

	webdav_xml_begin(&xml);
	webdav_xml_file(&xml, request->ns, request->key, &file);
	webdav_xml_end(&xml);
	respond_xml(request, response, &xml);
	return STEP_RESPOND;
}

static enum handler_step show_members(struct request *request, struct response *response)
{
	struct body_stream *stream = webdav_list_create(request->context, &request->op);

	if (!stream) {
		respond_no_memory(request, response);
		return STEP_RESPOND;
	}
	response_stream(response, WEBDAV_XML_TYPE, stream);
	response->status = 207;
	return STEP_RESPOND;
}

static enum handler_step show_below(struct request *request, struct response *response,
				    const struct find *find)
{
	const struct cache_op *op = &request->op;
	bool must_be_there = request->key.len > 0 && find->prefix_len > request->key.len;

	if (op->status != CACHE_OK)
		respond_op_failure(request, response);
	else if (must_be_there && op->entry_count == 0)
		respond_error(request, response, 404, "no such entry, and no key begins with this");
	else if (find->members)
		return show_members(request, response);
	else
		respond_collection(request, response, prefix_of(find));
	return STEP_RESPOND;
}

static enum handler_step find_proceed(struct request *request, struct response *response,
				      bool is_end)
{
	struct find *find = request->state;
	bool is_collection = find->prefix_len == request->key.len;

	if (find->body_bytes > BODY_MAX_BYTES) {
		response->close = !is_end;
		respond_error(request, response, 413, "the body of a PROPFIND may have %d bytes",
			      BODY_MAX_BYTES);
		return STEP_RESPOND;
	}
	if (!is_end)
		return STEP_READ;
	switch (find->state) {
	case FIND_BEGINS:
		if (!is_collection)
			return ask_entry(request, find);
		if (find->members)
			return ask_below(request, find);
		respond_collection(request, response, prefix_of(find));
		break;
	case FIND_ENTRY:
		if (request->op.status == CACHE_OK)
			return show_entry(request, response);
		if (request->op.status == CACHE_NOT_FOUND)
			return ask_below(request, find);
		respond_op_failure(request, response);
		break;
	case FIND_BELOW:
	case FIND_MEMBERS:
		return show_below(request, response, find);
	}
	return STEP_RESPOND;
}

/* ---- PROPFIND of /cache ---- */

static enum handler_step namespaces_start(struct request *request, struct response *response)
{
	bool members = false;

	cache_op_init(&request->op, CACHE_OP_STATS);
	if (!read_depth(request, response, &members))
		return STEP_RESPOND;
	if (members)
		return STEP_SUBMIT;
	respond_collection(request, response, (struct slice){0});
	return STEP_RESPOND;
}

static void namespaces_finish(struct request *request, struct response *response)
{
	const struct cache_op *op = &request->op;
	int64_t started_at_us = request->context->started_at_us;
	struct buffer xml = {0};

	if (op->status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	stats_json_keep_usable(request);
	webdav_xml_begin(&xml);
	webdav_xml_collection(&xml, (struct slice){0}, (struct slice){0}, started_at_us);
	for (size_t i = 0; i < op->stats_count; i++)
		webdav_xml_collection(&xml, slice_of(op->stats[i].name), (struct slice){0},
				      started_at_us);
	webdav_xml_end(&xml);
	respond_xml(request, response, &xml);
}

/* ---- DELETE of a collection ---- */

/* A key may end with a slash, too, and then it is the entry that goes. Else an empty collection
 * goes as it came. One that has members stays: DELETE of /cache/{ns} needs another right.
 *
 * What has been done is told by the type of the op: nothing (GET), the DELETE, or the SCAN for
 * members. */
static enum handler_step remove_start(struct request *request, struct response *response)
{
	(void)response;
	cache_op_init(&request->op, CACHE_OP_GET);
	return STEP_READ;
}

static void remove_take(struct request *request, struct slice piece)
{
	(void)request;
	(void)piece;
}

static enum handler_step ask_members(struct request *request)
{
	struct cache_op *op = &request->op;

	cache_op_deinit(op);
	cache_op_init(op, CACHE_OP_SCAN);
	webdav_list_ask(op, request->ns, request->key);
	op->limit = 1;
	op->any_order = true;
	return STEP_SUBMIT;
}

static enum handler_step remove_proceed(struct request *request, struct response *response,
					bool is_end)
{
	const struct cache_op *op = &request->op;

	if (!is_end)
		return STEP_READ;
	if (op->type == CACHE_OP_GET)
		return handler_entry_delete.start(request, response);
	if (op->type == CACHE_OP_DELETE && op->status == CACHE_NOT_FOUND)
		return ask_members(request);
	if (op->type != CACHE_OP_SCAN)
		handler_entry_delete.finish(request, response);
	else if (op->status != CACHE_OK)
		respond_op_failure(request, response);
	else if (op->entry_count == 0)
		response->status = 204;
	else
		respond_error(request, response, 409,
			      "there are entries below this path; delete these, or all at once by "
			      "DELETE /cache/{ns}?prefix=");
	return STEP_RESPOND;
}

static void remove_cleanup(struct request *request)
{
	handler_entry_delete.cleanup(request);
}

/* ---- MKCOL ---- */

/* There is nothing to make. */
static enum handler_step make_start(struct request *request, struct response *response)
{
	cache_op_init(&request->op, CACHE_OP_GET);
	if (!respond_key_fits(request, response))
		return STEP_RESPOND;
	if (request_body(request).len > 0)
		respond_error(request, response, 415,
			      "MKCOL takes no body: a collection is the keys below it");
	else
		response->status = 201;
	return STEP_RESPOND;
}

const struct handler handler_webdav_find = {
	.start = find_start,
	.cleanup = find_cleanup,
	.take = find_take,
	.proceed = find_proceed,
};
const struct handler handler_webdav_find_namespaces = {
	.start = namespaces_start,
	.finish = namespaces_finish,
};
const struct handler handler_webdav_remove = {
	.start = remove_start,
	.cleanup = remove_cleanup,
	.take = remove_take,
	.proceed = remove_proceed,
};
const struct handler handler_webdav_make = {.start = make_start};
