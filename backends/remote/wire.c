#include "backends/remote/wire.h"

#include <nettle/base64.h>

#include "base/json_out.h"
#include "base/utf8.h"

static void write_name(struct buffer *out, const char *name, const char *suffix)
{
	buffer_append_char(out, '"');
	buffer_append(out, slice_of(name));
	buffer_append(out, slice_of(suffix));
	buffer_append(out, SLICE("\":"));
}

void remote_wire_write_bytes(struct buffer *out, const char *name, struct slice bytes)
{
	bool is_text = utf8_is_valid(bytes);

	write_name(out, name, is_text ? "" : "_b64");
	if (is_text)
		json_out_string(out, bytes);
	else
		json_out_base64(out, bytes);
}

void remote_wire_write_text(struct buffer *out, const char *name, struct slice text)
{
	write_name(out, name, "");
	json_out_string(out, text);
}

void remote_wire_write_integer(struct buffer *out, const char *name, int64_t number)
{
	write_name(out, name, "");
	json_out_integer(out, number);
}

bool remote_wire_read_object(struct slice body, json_t **ret)
{
	json_error_t error;
	json_t *root =
		body.len > 0 ? json_loadb(body.data, body.len, JSON_ALLOW_NUL, &error) : NULL;

	*ret = NULL;
	if (body.len > 0 && !root && json_error_code(&error) == json_error_out_of_memory)
		return false;
	if (json_is_object(root))
		*ret = root;
	else
		json_decref(root);
	return true;
}

static struct slice text_of(const json_t *string)
{
	return (struct slice){.data = json_string_value(string), .len = json_string_length(string)};
}

bool remote_wire_read_bytes(const json_t *object, const char *name, struct remote_wire_bytes *ret)
{
	const json_t *plain = json_object_get(object, name);
	char encoded_name[40];

	if (json_is_string(plain)) {
		*ret = (struct remote_wire_bytes){.text = text_of(plain)};
		return true;
	}
	(void)snprintf(encoded_name, sizeof(encoded_name), "%s_b64", name);
	const json_t *encoded = json_object_get(object, encoded_name);
	if (!json_is_string(encoded))
		return false;
	*ret = (struct remote_wire_bytes){.text = text_of(encoded), .is_base64 = true};
	return true;
}

size_t remote_wire_bytes_max(const struct remote_wire_bytes *bytes)
{
	return bytes->is_base64 ? BASE64_DECODE_LENGTH(bytes->text.len) : bytes->text.len;
}

bool remote_wire_decode_bytes(const struct remote_wire_bytes *bytes, char *target, size_t *ret_len)
{
	struct base64_decode_ctx context;

	if (!bytes->is_base64) {
		if (bytes->text.len > 0)
			memcpy(target, bytes->text.data, bytes->text.len);
		*ret_len = bytes->text.len;
		return true;
	}
	*ret_len = remote_wire_bytes_max(bytes);
	base64_decode_init(&context);
	return base64_decode_update(&context, ret_len, (uint8_t *)target, bytes->text.len,
				    bytes->text.data) &&
	       base64_decode_final(&context);
}

enum cache_status remote_wire_make_value(const struct remote_wire_bytes *bytes,
					 struct slice content_type, struct cache_value **ret)
{
	struct cache_value *value = cache_value_create(remote_wire_bytes_max(bytes), content_type);
	size_t len = 0;

	if (!value)
		return CACHE_NO_MEMORY;
	if (!remote_wire_decode_bytes(bytes, cache_value_data(value), &len)) {
		cache_value_release(value);
		return CACHE_UNAVAILABLE;
	}
	value->len_bytes = (uint32_t)len;
	cache_value_seal(value);
	*ret = value;
	return CACHE_OK;
}

int64_t remote_wire_read_integer(const json_t *object, const char *name, int64_t fallback)
{
	const json_t *number = json_object_get(object, name);
	double real;

	if (json_is_integer(number))
		return json_integer_value(number);
	if (!json_is_real(number))
		return fallback;
	real = json_real_value(number);
	return real > -9e18 && real < 9e18 ? (int64_t)real : fallback;
}

bool remote_wire_has_count(const json_t *object, const char *name)
{
	const json_t *number = json_object_get(object, name);

	return json_is_number(number) && json_number_value(number) >= 0;
}

double remote_wire_read_double(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

struct slice remote_wire_read_text(const json_t *object, const char *name)
{
	return text_of(json_object_get(object, name));
}
