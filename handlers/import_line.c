#include "handlers/import_line_parts.h"

#include <stdarg.h>
#include <stdio.h>

#include "handlers/export.h"
#include "handlers/json_in.h"

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

bool import_refuse(struct import_line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line->error, IMPORT_ERROR_BYTES, format, args);
	va_end(args);
	return false;
}

/* ---- Reading ---- */

static bool take_member(struct import_line *line, size_t index, const json_t *value)
{
	struct scan_member *member = &line->members[index];

	member->found = true;
	if (member->type == SCAN_STRING) {
		if (!json_is_string(value))
			return import_refuse(line, "\"%s\" must be a string", member->name.data);
		member->string = json_in_slice(value);
		return true;
	}
	if (json_is_object(value) || json_is_array(value) || json_is_string(value))
		return import_refuse(line, "\"%s\" must not be text or a list", member->name.data);
	size_t len = json_dumpb(value, line->scalars[index], SCALAR_BYTES,
				JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
	if (len == 0 || len > SCALAR_BYTES)
		return import_refuse(line, "\"%s\" has too many digits", member->name.data);
	member->string = (struct slice){.data = line->scalars[index], .len = len};
	return true;
}

static bool read_slowly(struct import_line *line, const char *text, size_t len)
{
	json_error_t error;

	line->root = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (!line->root)
		return import_refuse(line, "not valid JSON (column %d): %.120s", error.column,
				     error.text);
	if (!json_is_object(line->root))
		return import_refuse(line, "the line must be a JSON object");
	/* Members that are not known may come from a later version. */
	for (size_t i = 0; i < MEMBERS; i++) {
		const json_t *value = json_object_get(line->root, known[i].name.data);

		if (value && !take_member(line, i, value))
			return false;
	}
	return true;
}

static bool read_members(struct import_line *line, char *text, size_t len)
{
	memcpy(line->members, known, sizeof(known));
	if (json_scan(text, len, line->members, MEMBERS, NULL))
		return true;
	memcpy(line->members, known, sizeof(known));
	return read_slowly(line, text, len);
}

/* ---- Lines ---- */

static enum import_kind kind_of(struct import_line *line)
{
	const struct scan_member *members = line->members;

	if (members[MEMBER_FORMAT].found) {
		uint64_t format = 0;

		if (import_read_whole(line, MEMBER_FORMAT, INT64_MAX / 16, &format) &&
		    format == EXPORT_FORMAT)
			return LINE_HEADER;
		(void)import_refuse(
			line,
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
	struct import_line line = {.context = context, .error = error};
	enum import_kind kind = LINE_BAD;

	if (read_members(&line, text, len))
		kind = kind_of(&line);
	if (kind == LINE_ENTRY && !import_read_entry(&line, ns, ret))
		kind = LINE_BAD;
	json_decref(line.root);
	return kind;
}
