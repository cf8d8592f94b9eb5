#include "handlers/batch/call_value.h"

#include <nettle/base64.h>

bool item_read_key(const struct request *request, struct response *response, const char *path,
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

bool call_read_key(struct request *request, struct response *response)
{
	const struct call *call = request->state;

	return item_read_key(request, response, "", &call->scanned[SCANNED_KEY],
			     &request->op.one.key);
}

struct cache_value *call_decode_base64(struct slice text, struct slice content_type,
				       struct cache_value_room room, enum base64_outcome *ret)
{
	struct base64_decode_ctx context;
	struct cache_value *value =
		cache_value_create_with_room(BASE64_DECODE_LENGTH(text.len), content_type, room);
	size_t len = value ? value->len_bytes : 0;

	*ret = value ? BASE64_GOOD : BASE64_NO_MEMORY;
	if (!value)
		return NULL;
	base64_decode_init(&context);
	/* nettle skips white space; we do not. */
	for (size_t i = 0; i < text.len && *ret == BASE64_GOOD; i++)
		if ((unsigned char)text.data[i] <= ' ')
			*ret = BASE64_BAD;
	if (*ret == BASE64_BAD ||
	    !base64_decode_update(&context, &len, (uint8_t *)cache_value_data(value), text.len,
				  text.data) ||
	    !base64_decode_final(&context)) {
		*ret = BASE64_BAD;
		cache_value_release(value);
		return NULL;
	}
	value->len_bytes = (uint32_t)len;
	cache_value_seal(value);
	return value;
}

/* A sealed value of `text` or of the base64 in it. NULL: the request is answered. */
static struct cache_value *make_value(const struct request *request, struct response *response,
				      const char *path, struct slice text, bool is_base64,
				      struct slice type, size_t key_len)
{
	struct cache_value_room room = backend_value_room(request->context->backend, key_len);
	enum base64_outcome outcome = BASE64_GOOD;
	struct cache_value *value = is_base64 ? call_decode_base64(text, type, room, &outcome)
					      : cache_value_copy_with_room(text, type, room);

	if (!value && outcome == BASE64_BAD)
		respond_error(request, response, 400, "\"%svalue\" is not base64", path);
	else if (!value)
		call_respond_no_memory(request, response);
	return value;
}

/* The type of a value that brings none. */
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

bool item_fill(const struct request *request, struct response *response, const char *path,
	       const struct item_fields *fields, struct cache_item *item)
{
	struct slice text;
	struct slice type;
	int64_t size = 0;
	bool is_base64 = false;

	if (!json_in_string(request, response, path, fields->value, &text) ||
	    !json_in_whole(request, response, path, fields->size, INT64_MAX / 4, &size) ||
	    !json_in_whole(request, response, path, fields->ttl, TTL_MAX_S, &item->ttl_s) ||
	    !read_encoding(request, response, path, fields->encoding, &is_base64))
		return false;
	type = default_type(is_base64);
	if (!read_type(request, response, path, fields->content_type, &type))
		return false;
	item->size_bytes = (uint64_t)size;
	item->value = make_value(request, response, path, text, is_base64, type, item->key.len);
	return item->value != NULL;
}

bool call_read_value(struct request *request, struct response *response)
{
	static const struct scan_member none;
	const struct call *call = request->state;
	const struct item_fields fields = {
		.value = &call->scanned[SCANNED_VALUE],
		.size = &call->scanned[SCANNED_SIZE],
		.ttl = &none,
		.content_type = &none,
		.encoding = &none,
	};

	return item_fill(request, response, "", &fields, &request->op.one);
}
