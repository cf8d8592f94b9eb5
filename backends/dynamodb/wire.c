#include "backends/dynamodb/wire.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/json_out.h"

void dynamodb_wire_begin(struct buffer *out, const struct dynamodb_state *state)
{
	buffer_append(out, SLICE("{\"TableName\":\""));
	buffer_append(out, slice_of(state->settings.table));
	buffer_append_char(out, '"');
}

/* ---- Keys ---- */

unsigned dynamodb_wire_shard(const struct dynamodb_state *state, struct slice key)
{
	return (unsigned)(XXH3_64bits(key.data, key.len) % state->shards);
}

struct slice dynamodb_wire_name(struct slice key, char room[static DYNAMODB_NAME_MAX])
{
	struct sha256_ctx hash;

	if (!dynamodb_wire_is_long(key))
		return key;
	memcpy(room, key.data, DYNAMODB_STEM);
	sha256_init(&hash);
	sha256_update(&hash, key.len, (const uint8_t *)key.data);
	sha256_digest(&hash, SHA256_DIGEST_SIZE, (uint8_t *)room + DYNAMODB_STEM);
	return (struct slice){.data = room, .len = DYNAMODB_NAME_MAX};
}

/* The prefix is ASCII without quotes (settings.c), and so are names. */
void dynamodb_wire_partition(struct buffer *out, const struct dynamodb_state *state,
			     struct slice ns, unsigned shard)
{
	buffer_printf(out, "\"%sd/%.*s/%02x\"", state->settings.prefix, (int)ns.len, ns.data,
		      shard);
}

void dynamodb_wire_meta_partition(struct buffer *out, const struct dynamodb_state *state)
{
	buffer_printf(out, "\"%sm\"", state->settings.prefix);
}

void dynamodb_wire_account_partition(struct buffer *out, const struct dynamodb_state *state,
				     unsigned slot)
{
	buffer_printf(out, "\"%sa/%02x\"", state->settings.prefix, slot);
}

void dynamodb_wire_sort_key(struct buffer *out, char kind, struct slice key)
{
	char bytes[DYNAMODB_NAME_MAX + 1];

	bytes[0] = kind;
	if (key.len > 0)
		memcpy(bytes + 1, key.data, key.len);
	json_out_base64(out, (struct slice){.data = bytes, .len = key.len + 1});
}

static void end_key(struct buffer *out, char kind, struct slice key)
{
	buffer_append(out, SLICE("},\"k\":{\"B\":"));
	dynamodb_wire_sort_key(out, kind, key);
	buffer_append(out, SLICE("}}"));
}

void dynamodb_wire_name_key(struct buffer *out, const struct dynamodb_state *state, struct slice ns,
			    unsigned shard, struct slice name)
{
	buffer_append(out, SLICE("{\"p\":{\"S\":"));
	dynamodb_wire_partition(out, state, ns, shard);
	end_key(out, 'k', name);
}

void dynamodb_wire_entry_key(struct buffer *out, const struct dynamodb_state *state,
			     struct slice ns, struct slice key)
{
	char room[DYNAMODB_NAME_MAX];

	dynamodb_wire_name_key(out, state, ns, dynamodb_wire_shard(state, key),
			       dynamodb_wire_name(key, room));
}

void dynamodb_wire_meta_key(struct buffer *out, const struct dynamodb_state *state, char kind,
			    struct slice name)
{
	buffer_append(out, SLICE("{\"p\":{\"S\":"));
	dynamodb_wire_meta_partition(out, state);
	end_key(out, kind, name);
}

void dynamodb_wire_account_key(struct buffer *out, const struct dynamodb_state *state,
			       unsigned slot, struct slice ns)
{
	buffer_append(out, SLICE("{\"p\":{\"S\":"));
	dynamodb_wire_account_partition(out, state, slot);
	end_key(out, 'n', ns);
}

/* ---- Attributes ---- */

static void begin_attribute(struct buffer *out, const char *name, const char *type)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buffer_append_char(out, ',');
	buffer_printf(out, "\"%s\":{\"%s\":", name, type);
}

void dynamodb_wire_number(struct buffer *out, const char *name, int64_t number)
{
	begin_attribute(out, name, "N");
	buffer_printf(out, "\"%lld\"}", (long long)number);
}

void dynamodb_wire_text(struct buffer *out, const char *name, struct slice text)
{
	begin_attribute(out, name, "S");
	json_out_string(out, text);
	buffer_append_char(out, '}');
}

void dynamodb_wire_bytes(struct buffer *out, const char *name, struct slice bytes)
{
	begin_attribute(out, name, "B");
	json_out_base64(out, bytes);
	buffer_append_char(out, '}');
}

/* ---- Answers ---- */

static struct slice member_of(const json_t *item, const char *name, const char *type)
{
	const json_t *text = json_object_get(json_object_get(item, name), type);

	return (struct slice){.data = json_string_value(text), .len = json_string_length(text)};
}

int64_t dynamodb_wire_read_number(const json_t *item, const char *name, int64_t fallback)
{
	struct slice text = member_of(item, name, "N");
	char *end = NULL;

	if (text.len == 0)
		return fallback;
	long long number = strtoll(text.data, &end, 10);
	if (*end == '\0')
		return number;
	double real = strtod(text.data, &end); /* 1.7E+15 */
	return *end == '\0' && real > -9e18 && real < 9e18 ? (int64_t)real : fallback;
}

struct slice dynamodb_wire_read_text(const json_t *item, const char *name)
{
	return member_of(item, name, "S");
}

struct slice dynamodb_wire_read_base64(const json_t *item, const char *name)
{
	return dynamodb_answer_text(json_object_get(json_object_get(item, name), "B"));
}

bool dynamodb_wire_read_sort_key(const json_t *item, char kind, char room[static 1024],
				 struct slice *ret)
{
	struct slice text = dynamodb_wire_read_base64(item, "k");
	char bytes[1024 + 8];
	size_t len = 0;

	if (text.len == 0 || dynamodb_answer_decoded_max(text) > sizeof(bytes) ||
	    !dynamodb_answer_decode(text, bytes, &len) || len < 1 || len > 1024 || bytes[0] != kind)
		return false;
	memcpy(room, bytes + 1, len - 1);
	*ret = (struct slice){.data = room, .len = len - 1};
	return true;
}

struct slice dynamodb_wire_read_key(const json_t *item, struct slice name, char **room)
{
	struct slice text = dynamodb_wire_read_base64(item, "K");
	size_t len = 0;

	*room = NULL;
	if (name.len < DYNAMODB_NAME_MAX)
		return name;
	*room = text.len > 0 ? malloc(dynamodb_answer_decoded_max(text)) : NULL;
	if (!*room || !dynamodb_answer_decode(text, *room, &len))
		return (struct slice){0};
	return (struct slice){.data = *room, .len = len};
}

void dynamodb_wire_read_old(const json_t *item, int64_t now_us, struct dynamodb_old *ret)
{
	struct slice name = dynamodb_wire_read_text(item, "w");
	int64_t expires_us = dynamodb_wire_read_number(item, "x", 0);

	*ret = (struct dynamodb_old){
		.exists = item != NULL,
		.is_live = item != NULL && (expires_us == 0 || expires_us > now_us),
		.size = dynamodb_wire_read_number(item, "s", 0),
		.used = dynamodb_wire_read_number(item, "u", 0),
		.frequency = dynamodb_wire_read_number(item, "f", 1),
		.created_us = dynamodb_wire_read_number(item, "c", now_us),
	};
	if (name.len < sizeof(ret->name))
		(void)snprintf(ret->name, sizeof(ret->name), "%.*s", (int)name.len,
			       name.data ? name.data : "");
}
