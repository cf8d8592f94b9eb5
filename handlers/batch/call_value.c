#include "handlers/batch/call_value.h"

#include "handlers/json/base64.h"
#include "handlers/json/head_json.h"
#include "handlers/respond/error.h"

bool call_value_item_key(const struct request *request, struct response *response, const char *path,
			 const struct scan_member *member, struct slice *ret)
{
	size_t max = request->context->max_key_bytes;

	if (!json_in_string(request, response, path, member, ret))
		return false;
	if (ret->len <= max)
		return true;
	respond_error(request, response, 413,
		      "the key has %zu bytes; the server takes up to %zu (STEADYCACHE_MAX_KEY_KB)",
		      ret->len, max);
	return false;
}

bool call_value_read_key(struct request *request, struct response *response)
{
	const struct call *call = request->state;

	return call_value_item_key(request, response, "", &call->scanned[SCANNED_KEY],
				   &request->op.one.key);
}

/* A sealed value of `text`, or of the base64 in it. NULL: the request is answered. */
static struct cache_value *make_value(const struct request *request, struct response *response,
				      const char *path, struct slice text, bool is_base64,
				      struct slice head, size_t key_len)
{
	struct cache_headroom headroom =
		backend_headroom(request->context->backend, request->op.ns, key_len);
	enum base64_outcome outcome = BASE64_GOOD;
	struct cache_value *value = is_base64
					    ? base64_value(text, head, headroom, &outcome)
					    : cache_value_copy_with_headroom(text, head, headroom);

	if (!value && outcome == BASE64_BAD)
		respond_error(request, response, 400, "\"%svalue\" is not base64", path);
	else if (!value)
		call_respond_no_memory(request, response);
	return value;
}

/* The default type of a value. */
static struct slice default_type(bool is_base64)
{
	return is_base64 ? SLICE(CONTENT_TYPE_BYTES) : SLICE(CONTENT_TYPE_TEXT);
}

static bool read_type(const struct request *request, struct response *response, const char *path,
		      const struct scan_member *member, struct slice *ret)
{
	if (!member->found)
		return true;
	if (content_type_is_valid(member->string)) {
		*ret = member->string;
		return true;
	}
	respond_error(request, response, 400,
		      "\"%scontent_type\" must be 1 to %d printable ASCII characters", path,
		      CONTENT_TYPE_MAX_LEN);
	return false;
}

/* Makes the head of an item's value from its type and its headers. */
static bool read_headers(const struct request *request, struct response *response, const char *path,
			 const struct scan_member *member, struct value_head_room *room,
			 struct slice *head)
{
	char error[HEAD_JSON_ERROR_BYTES];

	if (!member->found)
		return true;
	value_head_begin(room, *head);
	if (head_json_read(member->string, room, error)) {
		*head = value_head_text(room);
		return true;
	}
	respond_error(request, response, 400, "\"%sheaders\" %s", path, error);
	return false;
}

static bool read_encoding(const struct request *request, struct response *response,
			  const char *path, const struct scan_member *member, bool *ret_is_base64)
{
	*ret_is_base64 = member->found;
	if (!member->found || slice_equal(member->string, SLICE("base64")))
		return true;
	respond_error(request, response, 400, "\"%sencoding\" must be \"base64\" where it is given",
		      path);
	return false;
}

bool call_value_fill_item(const struct request *request, struct response *response,
			  const char *path, const struct item_fields *fields,
			  struct cache_item *item)
{
	struct value_head_room room;
	struct slice text;
	struct slice head;
	int64_t size = 0;
	bool is_base64 = false;

	if (!json_in_string(request, response, path, fields->value, &text) ||
	    !json_in_whole(request, response, path, fields->size, INT64_MAX / 4, &size) ||
	    !json_in_whole(request, response, path, fields->ttl, TTL_MAX_S, &item->ttl_s) ||
	    !read_encoding(request, response, path, fields->encoding, &is_base64))
		return false;
	head = default_type(is_base64);
	if (!read_type(request, response, path, fields->content_type, &head) ||
	    !read_headers(request, response, path, fields->headers, &room, &head))
		return false;
	item->size_bytes = (uint64_t)size;
	item->value = make_value(request, response, path, text, is_base64, head, item->key.len);
	return item->value != NULL;
}

bool call_value_read(struct request *request, struct response *response)
{
	static const struct scan_member none;
	const struct call *call = request->state;
	const struct item_fields fields = {
		.value = &call->scanned[SCANNED_VALUE],
		.size = &call->scanned[SCANNED_SIZE],
		.ttl = &none,
		.content_type = &none,
		.encoding = &none,
		.headers = &none,
	};

	return call_value_fill_item(request, response, "", &fields, &request->op.one);
}
