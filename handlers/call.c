#include "handlers/call.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/base/json_out.h"

static void respond_no_memory(const struct request *request, struct response *response)
{
	respond_error(request, response, cache_status_http(CACHE_NO_MEMORY), "%s",
		      cache_status_text(CACHE_NO_MEMORY));
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
		respond_no_memory(request, response);
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

/* Reads the body with the library. */
static bool parse(struct request *request, struct response *response, struct call *call)
{
	call->root = json_in_object(request, response);
	if (!call->root)
		return false;
	request->op.ns = request->ns;
	if (call->is_batch_route)
		return true;
	return json_in_string(request, response, call->root, "", "cache_name", &request->op.ns) &&
	       check_cache_name(request, response);
}

struct call *call_open(struct request *request, struct response *response, enum cache_op_type type)
{
	struct call *call = create_call(request, response, type);

	return call && parse(request, response, call) ? call : NULL;
}

struct call *call_open_single(struct request *request, struct response *response,
			      enum cache_op_type type)
{
	bool is_set = type == CACHE_OP_SET;
	struct call *call = create_call(request, response, type);

	if (!call)
		return NULL;
	call->scanned[SCANNED_CACHE_NAME] =
		(struct scan_member){.name = SLICE("cache_name"), .required = true};
	call->scanned[SCANNED_KEY] = (struct scan_member){.name = SLICE("key"), .required = true};
	call->scanned[SCANNED_VALUE] =
		(struct scan_member){.name = SLICE("value"), .required = is_set};
	call->scanned[SCANNED_SIZE] =
		(struct scan_member){.name = SLICE("size"), .type = SCAN_WHOLE};
	if (!request->body || !json_scan(cache_value_data(request->body), request->body->len_bytes,
					 call->scanned, SCANNED_MEMBERS))
		return parse(request, response, call) ? call : NULL;
	request->op.ns = call->scanned[SCANNED_CACHE_NAME].string;
	return check_cache_name(request, response) ? call : NULL;
}

static bool check_key(const struct request *request, struct response *response, struct slice key)
{
	if (key.len <= request->context->max_key_bytes)
		return true;
	respond_error(request, response, 413,
		      "the key has %zu bytes; the server takes up to %zu (STEADYCACHE_MAX_KEY_KB)",
		      key.len, request->context->max_key_bytes);
	return false;
}

bool call_read_key(struct request *request, struct response *response)
{
	const struct call *call = request->state;

	if (!call->root)
		request->op.one.key = call->scanned[SCANNED_KEY].string;
	else if (!json_in_string(request, response, call->root, "", "key", &request->op.one.key))
		return false;
	return check_key(request, response, request->op.one.key);
}

/* Decodes standard base64, padding required. NULL: not base64 (or no memory). */
static struct cache_value *decode_base64(struct slice text, struct slice content_type,
					 struct cache_value_room room)
{
	struct base64_decode_ctx context;
	struct cache_value *value =
		cache_value_create_with_room(BASE64_DECODE_LENGTH(text.len), content_type, room);
	size_t len = value ? value->len_bytes : 0;

	base64_decode_init(&context);
	/* nettle skips white space; we do not. */
	for (size_t i = 0; value && i < text.len; i++)
		if ((unsigned char)text.data[i] <= ' ')
			len = SIZE_MAX;
	if (!value || len == SIZE_MAX ||
	    !base64_decode_update(&context, &len, (uint8_t *)cache_value_data(value), text.len,
				  text.data) ||
	    !base64_decode_final(&context)) {
		cache_value_release(value);
		return NULL;
	}
	value->len_bytes = (uint32_t)len;
	cache_value_seal(value);
	return value;
}

/* The further members of an item on /batch. */
static bool read_extras(const struct request *request, struct response *response,
			const json_t *object, const char *path, struct cache_item *item,
			struct slice *content_type, bool *base64)
{
	const json_t *type = json_object_get(object, "content_type");
	const json_t *encoding = json_object_get(object, "encoding");

	if (!json_in_whole(request, response, object, path, "ttl", TTL_MAX_S, &item->ttl_s))
		return false;
	*base64 = json_is_string(encoding) && slice_equal(json_in_slice(encoding), SLICE("base64"));
	if (encoding && !*base64) {
		respond_error(request, response, 400,
			      "\"%sencoding\" must be \"base64\" where it is given", path);
		return false;
	}
	if (*base64)
		*content_type = SLICE(CONTENT_TYPE_BYTES);
	if (!type)
		return true;
	if (json_is_string(type))
		*content_type = json_in_slice(type);
	bool fits = json_is_string(type) && content_type->len > 0 &&
		    content_type->len <= CONTENT_TYPE_MAX_LEN;
	for (size_t i = 0; fits && i < content_type->len; i++)
		fits = content_type->data[i] >= ' ' && content_type->data[i] <= '~';
	if (!fits)
		respond_error(request, response, 400,
			      "\"%scontent_type\" must be 1 to %d printable ASCII characters", path,
			      CONTENT_TYPE_MAX_LEN);
	return fits;
}

bool call_read_value(struct request *request, struct response *response, const json_t *object,
		     const char *path, struct cache_item *item)
{
	const struct call *call = request->state;
	struct slice type = SLICE(CONTENT_TYPE_TEXT);
	struct slice text;
	int64_t size = 0;
	bool base64 = false;

	if (!object) {
		text = call->scanned[SCANNED_VALUE].string;
		size = call->scanned[SCANNED_SIZE].whole;
	} else if (!json_in_string(request, response, object, path, "value", &text) ||
		   !json_in_whole(request, response, object, path, "size", INT64_MAX / 4, &size)) {
		return false;
	}
	if (call->is_batch_route &&
	    !read_extras(request, response, object, path, item, &type, &base64))
		return false;
	struct cache_value_room room = backend_value_room(request->context->backend, item->key.len);
	item->value = base64 ? decode_base64(text, type, room)
			     : cache_value_copy_with_room(text, type, room);
	if (!item->value && base64)
		respond_error(request, response, 400, "\"%svalue\" is not base64", path);
	else if (!item->value)
		respond_no_memory(request, response);
	item->size_bytes = (uint64_t)size;
	return item->value != NULL;
}

/* ---- Batches ---- */

static bool allocate_items(struct request *request, struct response *response, size_t count)
{
	struct call *call = request->state;

	if (count > request->context->max_batch_items) {
		respond_error(request, response, 413,
			      "the batch has %zu items; the server takes up to %zu "
			      "(STEADYCACHE_MAX_BATCH)",
			      count, request->context->max_batch_items);
		return false;
	}
	call->items = calloc(count + 1, sizeof(*call->items));
	if (!call->items) {
		respond_no_memory(request, response);
		return false;
	}
	request->op.items = call->items;
	request->op.item_count = count;
	for (size_t i = 0; i < count; i++)
		call->items[i].ttl_s = TTL_DEFAULT;
	return true;
}

static int compare_items(const void *a, const void *b)
{
	const struct cache_item *left = *(struct cache_item *const *)a;
	const struct cache_item *right = *(struct cache_item *const *)b;
	int order = slice_compare(left->key, right->key);

	return order != 0 ? order : (left > right) - (left < right);
}

/* Leaves one item of each key, the first or the last, in the order of the request. */
static bool remove_duplicates(struct request *request, struct response *response, bool keep_last)
{
	struct cache_op *op = &request->op;
	struct cache_item **sorted = malloc((op->item_count + 1) * sizeof(struct cache_item *));
	size_t kept = 0;

	if (!sorted) {
		respond_no_memory(request, response);
		return false;
	}
	for (size_t i = 0; i < op->item_count; i++)
		sorted[i] = &op->items[i];
	qsort(sorted, op->item_count, sizeof(struct cache_item *), compare_items);
	for (size_t i = 1; i < op->item_count; i++)
		if (slice_equal(sorted[i - 1]->key, sorted[i]->key)) {
			/* CACHE_INVALID marks the one that goes; of a run the first (or last)
			 * stays. */
			if (keep_last) {
				sorted[i - 1]->status = CACHE_INVALID;
			} else {
				sorted[i]->status = CACHE_INVALID;
			}
		}
	free(sorted);
	for (size_t i = 0; i < op->item_count; i++) {
		if (op->items[i].status == CACHE_INVALID) {
			cache_value_release(op->items[i].value);
			continue;
		}
		if (kept != i)
			op->items[kept] = op->items[i];
		kept++;
	}
	op->item_count = kept;
	return true;
}

bool call_read_keys(struct request *request, struct response *response)
{
	const struct call *call = request->state;
	const json_t *keys = NULL;

	if (!json_in_array(request, response, call->root, "keys", &keys) ||
	    !allocate_items(request, response, json_array_size(keys)))
		return false;
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);

		if (!json_is_string(key)) {
			respond_error(request, response, 400, "\"keys[%zu]\" must be a string", i);
			return false;
		}
		request->op.items[i].key = json_in_slice(key);
		if (!check_key(request, response, request->op.items[i].key))
			return false;
	}
	return remove_duplicates(request, response, false);
}

bool call_read_items(struct request *request, struct response *response)
{
	const struct call *call = request->state;
	const json_t *items = NULL;
	char path[40];

	if (!json_in_array(request, response, call->root, "items", &items) ||
	    !allocate_items(request, response, json_array_size(items)))
		return false;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *object = json_array_get(items, i);
		struct cache_item *item = &request->op.items[i];

		(void)snprintf(path, sizeof(path), "items[%zu].", i);
		if (!json_is_object(object)) {
			respond_error(request, response, 400, "\"items[%zu]\" must be an object",
				      i);
			return false;
		}
		if (!json_in_string(request, response, object, path, "key", &item->key) ||
		    !check_key(request, response, item->key) ||
		    !call_read_value(request, response, object, path, item))
			return false;
	}
	return remove_duplicates(request, response, true);
}

enum handler_step call_start_batch_get(struct request *request, struct response *response)
{
	if (!call_open(request, response, CACHE_OP_GET) || !call_read_keys(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

enum handler_step call_start_batch_set(struct request *request, struct response *response)
{
	if (!call_open(request, response, CACHE_OP_SET) || !call_read_items(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

enum handler_step call_start_batch_delete(struct request *request, struct response *response)
{
	if (!call_open(request, response, CACHE_OP_DELETE) || !call_read_keys(request, response))
		return STEP_RESPOND;
	return STEP_SUBMIT;
}

/* ---- Answers ---- */

void call_finish_success(struct request *request, struct response *response)
{
	/* Deleting what is not there is a success too. */
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
	if (op->type == CACHE_OP_EXISTS) {
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
	}
	json_out_raw(json, "}");
}

void call_finish_results(struct request *request, struct response *response)
{
	const struct call *call = request->state;
	struct buffer json = {0};

	if (request->op.status != CACHE_OK) {
		respond_op_failure(request, response);
		return;
	}
	json_out_raw(&json, "{\"results\":{");
	for (size_t i = 0; i < request->op.item_count; i++) {
		if (i > 0)
			json_out_raw(&json, ",");
		append_result(&json, &request->op, &request->op.items[i], call->is_batch_route);
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
		cache_op_deinit(&request->op); /* before the items it points to go */
	request->op.items = &request->op.one;
	request->op.item_count = 0;
	free(call->items);
	json_decref(call->root);
	free(call);
	request->state = NULL;
}
