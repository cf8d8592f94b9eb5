#include <jansson.h>
#include <nettle/base64.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/base/clock.h"
#include "handlers/call_value.h"
#include "handlers/export.h"
#include "handlers/import.h"

enum {
	MEMBER_NAMESPACE,
	MEMBER_KEY,
	MEMBER_KEY_BASE64,
	MEMBER_VALUE,
	MEMBER_VALUE_BASE64,
	MEMBER_CONTENT_TYPE,
	MEMBER_FREQUENCY,
	MEMBER_LAST_ACCESS,
	MEMBER_CREATED_AT,
	MEMBER_EXPIRES_AT,
	MEMBER_SIZE,
	MEMBER_FORMAT,
	MEMBER_VERSION,
	MEMBER_CURSOR,
	MEMBER_COMPLETE,
	MEMBER_ENTRIES,
	MEMBER_ERROR,
	MEMBERS
};

static const struct scan_member known[MEMBERS] = {
	[MEMBER_NAMESPACE] = {.name = SLICE("namespace")},
	[MEMBER_KEY] = {.name = SLICE("key")},
	[MEMBER_KEY_BASE64] = {.name = SLICE("key_base64")},
	[MEMBER_VALUE] = {.name = SLICE("value")},
	[MEMBER_VALUE_BASE64] = {.name = SLICE("value_base64")},
	[MEMBER_CONTENT_TYPE] = {.name = SLICE("content_type")},
	[MEMBER_FREQUENCY] = {.name = SLICE("frequency"), .type = SCAN_SCALAR},
	[MEMBER_LAST_ACCESS] = {.name = SLICE("last_access"), .type = SCAN_SCALAR},
	[MEMBER_CREATED_AT] = {.name = SLICE("created_at"), .type = SCAN_SCALAR},
	[MEMBER_EXPIRES_AT] = {.name = SLICE("expires_at"), .type = SCAN_SCALAR},
	[MEMBER_SIZE] = {.name = SLICE("size"), .type = SCAN_SCALAR},
	[MEMBER_FORMAT] = {.name = SLICE("steadycache_export"), .type = SCAN_SCALAR},
	[MEMBER_VERSION] = {.name = SLICE("server_version")},
	[MEMBER_CURSOR] = {.name = SLICE("cursor")},
	[MEMBER_COMPLETE] = {.name = SLICE("complete"), .type = SCAN_SCALAR},
	[MEMBER_ENTRIES] = {.name = SLICE("entries"), .type = SCAN_SCALAR},
	[MEMBER_ERROR] = {.name = SLICE("error")},
};

#define SCALAR_BYTES 40

/* One line as its two readers leave it. */
struct line {
	const struct handler_context *context;
	struct scan_member members[MEMBERS];
	json_t *root; /* where the fast reader did not take it */
	char scalars[MEMBERS][SCALAR_BYTES];
	char *error;
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line->error, IMPORT_ERROR_BYTES, format, args);
	va_end(args);
	return false;
}

static bool refuse_memory(struct line *line)
{
	return refuse(line, "%s", cache_status_text(CACHE_NO_MEMORY));
}

/* ---- Reading ---- */

static bool take_member(struct line *line, size_t index, const json_t *value)
{
	struct scan_member *member = &line->members[index];

	member->found = true;
	if (member->type == SCAN_STRING) {
		if (!json_is_string(value))
			return refuse(line, "\"%s\" must be a string", member->name.data);
		member->string = json_in_slice(value);
		return true;
	}
	if (json_is_object(value) || json_is_array(value) || json_is_string(value))
		return refuse(line, "\"%s\" must not be text or a list", member->name.data);
	size_t len = json_dumpb(value, line->scalars[index], SCALAR_BYTES,
				JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	if (len == 0 || len > SCALAR_BYTES)
		return refuse(line, "\"%s\" has too many digits", member->name.data);
	member->string = (struct slice){.data = line->scalars[index], .len = len};
	return true;
}

static bool read_slowly(struct line *line, const char *text, size_t len)
{
	json_error_t error;

	line->root = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (!line->root)
		return refuse(line, "not valid JSON (column %d): %.120s", error.column, error.text);
	if (!json_is_object(line->root))
		return refuse(line, "the line must be a JSON object");
	/* Members that are not known may come from a later version. */
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *value = json_object_get(line->root, known[i].name.data);

		if (value && !take_member(line, i, value))
			return false;
	}
	return true;
}

static bool read_members(struct line *line, char *text, size_t len)
{
	memcpy(line->members, known, sizeof(known));
	if (json_scan(text, len, line->members, MEMBERS, NULL))
		return true;
	memcpy(line->members, known, sizeof(known));
	return read_slowly(line, text, len);
}

/* ---- Numbers ---- */

static bool is_null(struct slice text)
{
	return slice_equal(text, SLICE("null"));
}

/* A decimal number >= 0 in millionths, rounded to the nearest. */
static bool parse_millionths(struct slice text, int64_t max, int64_t *ret)
{
	int64_t number = 0;
	int decimals = -1; /* behind the point */
	bool has_digits = false;
	bool rounds_up = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '.' && decimals < 0 && has_digits) {
			decimals = 0;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		has_digits = true;
		if (decimals == 6)
			rounds_up = c >= '5';
		if (decimals >= 0 && decimals++ >= 6)
			continue;
		if (number > (max - (c - '0')) / 10)
			return false;
		number = number * 10 + (c - '0');
	}
	for (int i = decimals < 0 ? 0 : decimals; i < 6; i++) {
		if (number > max / 10)
			return false;
		number *= 10;
	}
	*ret = number + rounds_up;
	return has_digits && *ret <= max;
}

/* A time; where it is missing or null *ret stays. */
static bool read_time(struct line *line, size_t index, int64_t *ret)
{
	struct scan_member *member = &line->members[index];

	if (!member->found || is_null(member->string) ||
	    parse_millionths(member->string, HISTORY_MAX_US, ret))
		return true;
	return refuse(line, "\"%s\" must be a time in seconds since 1970, of up to the year 2255",
		      member->name.data);
}

static bool read_whole(struct line *line, size_t index, int64_t max, uint64_t *ret)
{
	struct scan_member *member = &line->members[index];
	uint64_t number = 0;
	struct slice text = member->string;

	if (!member->found || is_null(text))
		return true;
	/* The other reader may have made a real number of it. */
	if (text.len > 2 && memcmp(text.data + text.len - 2, ".0", 2) == 0)
		text.len -= 2;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || number > (uint64_t)max)
			return refuse(line, "\"%s\" must be a whole number from 0 to %lld",
				      member->name.data, (long long)max);
		number = number * 10 + (uint64_t)(text.data[i] - '0');
	}
	if (number > (uint64_t)max)
		return refuse(line, "\"%s\" must be a whole number from 0 to %lld",
			      member->name.data, (long long)max);
	*ret = number;
	return true;
}

/* ---- Entries ---- */

static bool read_namespace(struct line *line, struct slice ns, struct import_entry *entry)
{
	const struct scan_member *member = &line->members[MEMBER_NAMESPACE];

	if (ns.len == 0 && !member->found)
		return refuse(line, "\"namespace\" is missing");
	if (ns.len == 0)
		ns = member->string;
	if (!namespace_name_is_valid(ns))
		return refuse(line,
			      "\"namespace\" must be 1 to %d letters, digits, '_', '.' or '-', "
			      "and not begin with '.' or '-'",
			      NAMESPACE_MAX_LEN);
	memcpy(entry->ns, ns.data, ns.len);
	entry->ns[ns.len] = '\0';
	return true;
}

/* Whether just one of two members is there. */
static bool has_one(struct line *line, size_t text, size_t base64)
{
	if (line->members[text].found != line->members[base64].found)
		return true;
	return refuse(line, "there must be either \"%s\" or \"%s\"", known[text].name.data,
		      known[base64].name.data);
}

/* The bytes that `text` stands for, malloc'ed. NULL: refused. */
static char *decode_key(struct line *line, struct slice text, bool is_base64, size_t *ret_len)
{
	struct base64_decode_ctx context;
	char *key = malloc(is_base64 ? BASE64_DECODE_LENGTH(text.len) + 1 : text.len + 1);
	bool good = true;

	if (!key) {
		(void)refuse_memory(line);
		return NULL;
	}
	*ret_len = is_base64 ? BASE64_DECODE_LENGTH(text.len) : text.len;
	base64_decode_init(&context);
	if (is_base64)
		good = base64_decode_update(&context, ret_len, (uint8_t *)key, text.len,
					    text.data) &&
		       base64_decode_final(&context);
	else if (text.len > 0)
		memcpy(key, text.data, text.len);
	if (good)
		return key;
	free(key);
	(void)refuse(line, "\"key_base64\" is not base64");
	return NULL;
}

static bool read_key(struct line *line, struct import_entry *entry)
{
	bool is_base64 = line->members[MEMBER_KEY_BASE64].found;
	size_t len = 0;

	if (!has_one(line, MEMBER_KEY, MEMBER_KEY_BASE64))
		return false;
	char *key =
		decode_key(line, line->members[is_base64 ? MEMBER_KEY_BASE64 : MEMBER_KEY].string,
			   is_base64, &len);
	entry->item.key = (struct slice){.data = key, .len = len};
	if (!key)
		return false;
	if (len > line->context->max_key_bytes)
		return refuse(line,
			      "the key has %zu bytes; the server takes up to %zu "
			      "(STEADYCACHE_MAX_KEY_KB)",
			      len, line->context->max_key_bytes);
	return true;
}

static bool read_type(struct line *line, struct slice *ret)
{
	const struct scan_member *member = &line->members[MEMBER_CONTENT_TYPE];

	*ret = line->members[MEMBER_VALUE].found ? SLICE(CONTENT_TYPE_TEXT)
						 : SLICE(CONTENT_TYPE_BYTES);
	if (!member->found)
		return true;
	bool fits = member->string.len > 0 && member->string.len <= CONTENT_TYPE_MAX_LEN;
	for (size_t i = 0; fits && i < member->string.len; i++)
		fits = (unsigned char)member->string.data[i] >= ' ' &&
		       member->string.data[i] != 0x7F;
	*ret = member->string;
	return fits ||
	       refuse(line, "\"content_type\" must be 1 to %d bytes without control characters",
		      CONTENT_TYPE_MAX_LEN);
}

static bool read_value(struct line *line, struct import_entry *entry)
{
	struct cache_value_room room =
		backend_value_room(line->context->backend, entry->item.key.len);
	struct slice text = line->members[MEMBER_VALUE].string;
	struct slice type;

	if (!has_one(line, MEMBER_VALUE, MEMBER_VALUE_BASE64) || !read_type(line, &type))
		return false;
	bool is_base64 = line->members[MEMBER_VALUE_BASE64].found;
	if (is_base64)
		text = line->members[MEMBER_VALUE_BASE64].string;
	size_t len = is_base64 ? text.len / 4 * 3 : text.len;
	if (len > line->context->max_body_bytes + 2 * (size_t)is_base64)
		return refuse(line,
			      "the value has about %zu bytes; the server takes up to %zu "
			      "(STEADYCACHE_MAX_BODY_MB)",
			      len, line->context->max_body_bytes);
	entry->item.value = is_base64 ? call_decode_base64(text, type, room)
				      : cache_value_copy_with_room(text, type, room);
	if (!entry->item.value)
		return is_base64 ? refuse(line, "\"value_base64\" is not base64")
				 : refuse_memory(line);
	return true;
}

static bool read_history(struct line *line, struct import_entry *entry)
{
	const struct scan_member *expires = &line->members[MEMBER_EXPIRES_AT];
	struct cache_history *history = &entry->history;

	/* Without the member: as the namespace says; null: never. */
	*history = (struct cache_history){
		.expires_at_us = expires->found ? 0 : HISTORY_TTL,
	};
	return read_whole(line, MEMBER_FREQUENCY, HISTORY_MAX_FREQUENCY, &history->frequency) &&
	       read_whole(line, MEMBER_SIZE, INT64_MAX / 4, &entry->item.size_bytes) &&
	       read_time(line, MEMBER_CREATED_AT, &history->created_at_us) &&
	       read_time(line, MEMBER_LAST_ACCESS, &history->last_access_us) &&
	       read_time(line, MEMBER_EXPIRES_AT, &history->expires_at_us);
}

static bool read_entry(struct line *line, struct slice ns, struct import_entry *ret)
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

/* ---- Lines ---- */

static enum import_kind kind_of(struct line *line)
{
	const struct scan_member *members = line->members;

	if (members[MEMBER_FORMAT].found) {
		uint64_t format = 0;

		if (read_whole(line, MEMBER_FORMAT, INT64_MAX / 16, &format) &&
		    format == EXPORT_FORMAT)
			return LINE_HEADER;
		(void)refuse(line,
			     "the export has format %.*s; this server knows format %d only, so "
			     "import it with the version that wrote it, or a later one",
			     (int)(members[MEMBER_FORMAT].string.len < 20
					   ? members[MEMBER_FORMAT].string.len
					   : 20),
			     members[MEMBER_FORMAT].string.data, EXPORT_FORMAT);
		return LINE_UNKNOWN_FORMAT;
	}
	if (members[MEMBER_COMPLETE].found)
		return slice_equal(members[MEMBER_COMPLETE].string, SLICE("true")) ? LINE_COMPLETE
										   : LINE_OTHER;
	return members[MEMBER_CURSOR].found && !members[MEMBER_KEY].found &&
			       !members[MEMBER_KEY_BASE64].found
		       ? LINE_OTHER
		       : LINE_ENTRY;
}

enum import_kind import_line_read(const struct handler_context *context, struct slice ns,
				  char *text, size_t len, struct import_entry *ret,
				  char error[static IMPORT_ERROR_BYTES])
{
	struct line line = {.context = context, .error = error};
	enum import_kind kind = LINE_BAD;

	if (read_members(&line, text, len))
		kind = kind_of(&line);
	if (kind == LINE_ENTRY && !read_entry(&line, ns, ret))
		kind = LINE_BAD;
	json_decref(line.root);
	return kind;
}
