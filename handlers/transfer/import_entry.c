#include "handlers/transfer/import_entry.h"

#include <nettle/base64.h>
#include <stdlib.h>

#include "handlers/json/base64.h"
#include "handlers/json/head_json.h"

/* ---- Namespace and key ---- */

static bool read_namespace(struct import_line *line, struct slice ns, struct import_entry *entry)
{
	const struct scan_member *member = &line->members[MEMBER_NAMESPACE];

	if (ns.len == 0 && !member->found)
		return import_member_refuse(line, "\"namespace\" is missing");
	if (ns.len == 0)
		ns = member->string;
	if (!namespace_name_is_valid(ns))
		return import_member_refuse(
			line,
			"\"namespace\" must be 1 to %d letters, digits, '_', '.' or '-', "
			"and not begin with '.' or '-'",
			NAMESPACE_MAX_LEN);
	memcpy(entry->ns, ns.data, ns.len);
	entry->ns[ns.len] = '\0';
	return true;
}

/* Whether exactly one of two members exists. */
static bool has_one(struct import_line *line, size_t text, size_t base64)
{
	if (line->members[text].found != line->members[base64].found)
		return true;
	return import_member_refuse(line, "there must be either \"%s\" or \"%s\"",
				    line->members[text].name.data, line->members[base64].name.data);
}

/* The decoded bytes of a member, malloc'ed. NULL: refused. */
static char *decode_bytes(struct import_line *line, size_t member, bool is_base64, size_t *ret_len)
{
	struct slice text = line->members[member].string;
	struct base64_decode_ctx context;
	char *bytes = malloc(is_base64 ? BASE64_DECODE_LENGTH(text.len) + 1 : text.len + 1);
	bool good = true;

	if (!bytes) {
		(void)import_member_refuse_no_memory(line);
		return NULL;
	}
	*ret_len = is_base64 ? BASE64_DECODE_LENGTH(text.len) : text.len;
	base64_decode_init(&context);
	if (is_base64)
		good = base64_decode_update(&context, ret_len, (uint8_t *)bytes, text.len,
					    text.data) &&
		       base64_decode_final(&context);
	else if (text.len > 0)
		memcpy(bytes, text.data, text.len);
	if (good)
		return bytes;
	free(bytes);
	(void)import_member_refuse(line, "\"%s\" is not base64", import_member_name(line, member));
	return NULL;
}

static bool read_key(struct import_line *line, struct import_entry *entry)
{
	bool is_base64 = line->members[MEMBER_KEY_BASE64].found;
	size_t len = 0;

	if (!has_one(line, MEMBER_KEY, MEMBER_KEY_BASE64))
		return false;
	char *key = decode_bytes(line, is_base64 ? MEMBER_KEY_BASE64 : MEMBER_KEY, is_base64, &len);
	entry->item.key = (struct slice){.data = key, .len = len};
	if (!key)
		return false;
	if (len > line->context->max_key_bytes)
		return import_member_refuse(line,
					    "the key has %zu bytes; the server takes up to %zu "
					    "(STEADYCACHE_MAX_KEY_KB)",
					    len, line->context->max_key_bytes);
	return true;
}

/* ---- Value ---- */

/* A type that was stored before types had to be visible ASCII; its bytes are restored. */
static bool read_old_type(struct import_line *line, char room[static CONTENT_TYPE_MAX_LEN],
			  struct slice *ret)
{
	size_t len = 0;

	if (line->members[MEMBER_CONTENT_TYPE].found)
		return import_member_refuse(line, "there must not be both \"content_type\" and "
						  "\"content_type_base64\"");
	char *type = decode_bytes(line, MEMBER_CONTENT_TYPE_BASE64, true, &len);
	if (!type)
		return false;
	bool fits = len > 0 && len <= CONTENT_TYPE_MAX_LEN;
	for (size_t i = 0; fits && i < len; i++)
		fits = ((unsigned char)type[i] >= ' ' && type[i] != 0x7F) || type[i] == '\t';
	if (fits)
		memcpy(room, type, len);
	free(type);
	*ret = (struct slice){.data = room, .len = len};
	return fits ||
	       import_member_refuse(line,
				    "\"content_type_base64\" must be of 1 to %d bytes without "
				    "control characters",
				    CONTENT_TYPE_MAX_LEN);
}

static bool read_type(struct import_line *line, char room[static CONTENT_TYPE_MAX_LEN],
		      struct slice *ret)
{
	const struct scan_member *member = &line->members[MEMBER_CONTENT_TYPE];

	if (line->members[MEMBER_CONTENT_TYPE_BASE64].found)
		return read_old_type(line, room, ret);
	*ret = line->members[MEMBER_VALUE].found ? SLICE(CONTENT_TYPE_TEXT)
						 : SLICE(CONTENT_TYPE_BYTES);
	if (!member->found)
		return true;
	*ret = member->string;
	return content_type_is_valid(member->string) ||
	       import_member_refuse(line,
				    "\"content_type\" must be 1 to %d printable ASCII characters",
				    CONTENT_TYPE_MAX_LEN);
}

/* The head of the value: its type, and its headers if there are any. */
static bool read_head(struct import_line *line, struct value_head_room *room, struct slice *ret)
{
	const struct scan_member *headers = &line->members[MEMBER_HEADERS];
	char error[HEAD_JSON_ERROR_BYTES];

	if (!read_type(line, room->text, ret))
		return false;
	if (!headers->found)
		return true;
	if (line->members[MEMBER_CONTENT_TYPE_BASE64].found)
		return import_member_refuse(line, "there must not be both \"headers\" and "
						  "\"content_type_base64\"");
	value_head_begin(room, *ret);
	if (!head_json_read(headers->string, room, error))
		return import_member_refuse(line, "\"headers\" %s", error);
	*ret = value_head_text(room);
	return true;
}

static bool read_value(struct import_line *line, struct import_entry *entry)
{
	struct cache_headroom headroom =
		backend_headroom(line->context->backend, slice_of(entry->ns), entry->item.key.len);
	struct slice text = line->members[MEMBER_VALUE].string;
	enum base64_outcome outcome = BASE64_GOOD;
	struct value_head_room room;
	struct slice head = {0};

	if (!has_one(line, MEMBER_VALUE, MEMBER_VALUE_BASE64) || !read_head(line, &room, &head))
		return false;
	bool is_base64 = line->members[MEMBER_VALUE_BASE64].found;
	if (is_base64)
		text = line->members[MEMBER_VALUE_BASE64].string;
	size_t len = is_base64 ? text.len / 4 * 3 : text.len;
	if (len > line->context->max_body_bytes + 2 * (size_t)is_base64)
		return import_member_refuse(
			line,
			"the value has about %zu bytes; the server takes up to %zu "
			"(STEADYCACHE_MAX_BODY_MB)",
			len, line->context->max_body_bytes);
	entry->item.value = is_base64 ? base64_value(text, head, headroom, &outcome)
				      : cache_value_copy_with_headroom(text, head, headroom);
	if (entry->item.value)
		return true;
	return outcome == BASE64_BAD ? import_member_refuse(line, "\"value_base64\" is not base64")
				     : import_member_refuse_no_memory(line);
}

/* ---- The entry ---- */

static bool read_history(struct import_line *line, struct import_entry *entry)
{
	const struct scan_member *expires = &line->members[MEMBER_EXPIRES_AT];
	struct cache_history *history = &entry->history;

	/* Without the member: by the namespace; null: never. */
	*history = (struct cache_history){
		.expires_at_us = expires->found ? 0 : HISTORY_TTL,
	};
	return import_member_whole(line, MEMBER_FREQUENCY, HISTORY_MAX_FREQUENCY,
				   &history->frequency) &&
	       import_member_whole(line, MEMBER_SIZE, INT64_MAX / 4, &entry->item.size_bytes) &&
	       import_member_time(line, MEMBER_CREATED_AT, &history->created_at_us) &&
	       import_member_time(line, MEMBER_MODIFIED_AT, &entry->modified_at_us) &&
	       import_member_time(line, MEMBER_LAST_ACCESS, &history->last_access_us) &&
	       import_member_time(line, MEMBER_EXPIRES_AT, &history->expires_at_us);
}

void import_entry_deinit(struct import_entry *entry)
{
	free((void *)(uintptr_t)entry->item.key.data);
	cache_value_release(entry->item.value);
	entry->item = (struct cache_item){0};
}

bool import_entry_read(struct import_line *line, struct slice ns, struct import_entry *ret)
{
	struct import_entry entry = {.item = {.ttl_s = TTL_DEFAULT}};

	if (read_namespace(line, ns, &entry) && read_history(line, &entry) &&
	    read_key(line, &entry) && read_value(line, &entry)) {
		*ret = entry;
		return true;
	}
	import_entry_deinit(&entry);
	return false;
}
