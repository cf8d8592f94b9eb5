#include "handlers/call_value.h"

#include <nettle/base64.h>

bool call_check_key(const struct request *request, struct response *response, struct slice key)
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
	return call_check_key(request, response, request->op.one.key);
}

struct cache_value *call_decode_base64(struct slice text, struct slice content_type,
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

void item_fields_of_scanned(const struct scan_member *members, bool has_extras,
			    struct item_fields *ret)
{
	*ret = (struct item_fields){
		.key = members[SCANNED_ITEM_KEY].string,
		.value = members[SCANNED_ITEM_VALUE].string,
		.size = members[SCANNED_ITEM_SIZE].whole,
		.ttl_s = TTL_DEFAULT,
	};
	if (!has_extras)
		return;
	if (members[SCANNED_ITEM_TTL].found)
		ret->ttl_s = members[SCANNED_ITEM_TTL].whole;
	ret->content_type = members[SCANNED_ITEM_CONTENT_TYPE].string;
	ret->has_type = members[SCANNED_ITEM_CONTENT_TYPE].found;
	ret->encoding = members[SCANNED_ITEM_ENCODING].string;
	ret->has_encoding = members[SCANNED_ITEM_ENCODING].found;
}

/* A string member that may be missing; what is no string is empty, which no member may be. */
static bool read_optional(const json_t *object, const char *name, struct slice *ret)
{
	const json_t *member = json_object_get(object, name);

	*ret = json_is_string(member) ? json_in_slice(member) : (struct slice){0};
	return member != NULL;
}

static bool fields_of_object(const struct request *request, struct response *response,
			     const json_t *object, const char *path, bool has_extras,
			     struct item_fields *ret)
{
	*ret = (struct item_fields){.ttl_s = TTL_DEFAULT};
	if (!json_in_string(request, response, object, path, "value", &ret->value) ||
	    !json_in_whole(request, response, object, path, "size", INT64_MAX / 4, &ret->size))
		return false;
	if (!has_extras)
		return true;
	ret->has_type = read_optional(object, "content_type", &ret->content_type);
	ret->has_encoding = read_optional(object, "encoding", &ret->encoding);
	return json_in_whole(request, response, object, path, "ttl", TTL_MAX_S, &ret->ttl_s);
}

static bool check_extras(const struct request *request, struct response *response, const char *path,
			 const struct item_fields *fields)
{
	struct slice type = fields->content_type;
	bool fits = type.len > 0 && type.len <= CONTENT_TYPE_MAX_LEN;

	if (fields->ttl_s > TTL_MAX_S) {
		respond_error(request, response, 400,
			      "\"%sttl\" must be a whole number from 0 to %lld", path,
			      (long long)TTL_MAX_S);
		return false;
	}
	if (fields->has_encoding && !slice_equal(fields->encoding, SLICE("base64"))) {
		respond_error(request, response, 400,
			      "\"%sencoding\" must be \"base64\" where it is given", path);
		return false;
	}
	for (size_t i = 0; fits && i < type.len; i++)
		fits = type.data[i] >= ' ' && type.data[i] <= '~';
	if (fields->has_type && !fits) {
		respond_error(request, response, 400,
			      "\"%scontent_type\" must be 1 to %d printable ASCII characters", path,
			      CONTENT_TYPE_MAX_LEN);
		return false;
	}
	return true;
}

bool item_fill(const struct request *request, struct response *response, const char *path,
	       const struct item_fields *fields, struct cache_item *item)
{
	struct cache_value_room room = backend_value_room(request->context->backend, item->key.len);
	bool is_base64 = fields->has_encoding;
	struct slice type = fields->has_type ? fields->content_type
			    : is_base64      ? SLICE(CONTENT_TYPE_BYTES)
					     : SLICE(CONTENT_TYPE_TEXT);

	if (!check_extras(request, response, path, fields))
		return false;
	item->value = is_base64 ? call_decode_base64(fields->value, type, room)
				: cache_value_copy_with_room(fields->value, type, room);
	if (!item->value && is_base64)
		respond_error(request, response, 400, "\"%svalue\" is not base64", path);
	else if (!item->value)
		call_respond_no_memory(request, response);
	item->size_bytes = (uint64_t)fields->size;
	item->ttl_s = fields->ttl_s;
	return item->value != NULL;
}

bool call_read_value(struct request *request, struct response *response, const json_t *object,
		     const char *path, struct cache_item *item)
{
	const struct call *call = request->state;
	struct item_fields fields = {
		.value = call->scanned[SCANNED_VALUE].string,
		.size = call->scanned[SCANNED_SIZE].whole,
		.ttl_s = TTL_DEFAULT,
	};

	if (object &&
	    !fields_of_object(request, response, object, path, call->is_batch_route, &fields))
		return false;
	return item_fill(request, response, path, &fields, item);
}
