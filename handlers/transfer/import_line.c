#include "handlers/transfer/import_line.h"

#include "handlers/transfer/export_line.h"

static const struct scan_member known[MEMBERS] = {
	[MEMBER_NAMESPACE] = {.name = SLICE("namespace")},
	[MEMBER_KEY] = {.name = SLICE("key")},
	[MEMBER_KEY_BASE64] = {.name = SLICE("key_base64")},
	[MEMBER_VALUE] = {.name = SLICE("value")},
	[MEMBER_VALUE_BASE64] = {.name = SLICE("value_base64")},
	[MEMBER_CONTENT_TYPE] = {.name = SLICE("content_type")},
	[MEMBER_CONTENT_TYPE_BASE64] = {.name = SLICE("content_type_base64")},
	[MEMBER_HEADERS] = {.name = SLICE("headers"), .type = SCAN_OBJECT},
	[MEMBER_FREQUENCY] = {.name = SLICE("frequency"), .type = SCAN_SCALAR},
	[MEMBER_LAST_ACCESS] = {.name = SLICE("last_access"), .type = SCAN_SCALAR},
	[MEMBER_CREATED_AT] = {.name = SLICE("created_at"), .type = SCAN_SCALAR},
	[MEMBER_EXPIRES_AT] = {.name = SLICE("expires_at"), .type = SCAN_SCALAR},
	[MEMBER_MODIFIED_AT] = {.name = SLICE("modified_at"), .type = SCAN_SCALAR},
	[MEMBER_SIZE] = {.name = SLICE("size"), .type = SCAN_SCALAR},
	[MEMBER_FORMAT] = {.name = SLICE("steadycache_export"), .type = SCAN_SCALAR},
	[MEMBER_VERSION] = {.name = SLICE("server_version")},
	[MEMBER_CURSOR] = {.name = SLICE("cursor")},
	[MEMBER_COMPLETE] = {.name = SLICE("complete"), .type = SCAN_SCALAR},
	[MEMBER_ENTRIES] = {.name = SLICE("entries"), .type = SCAN_SCALAR},
	[MEMBER_ERROR] = {.name = SLICE("error")},
};

/* ---- Reading ---- */

/* What a member must be. */
static const char *wanted_of(enum scan_type type)
{
	if (type == SCAN_STRING)
		return "be a string";
	return type == SCAN_OBJECT ? "be an object of strings" : "not be text or a list";
}

/* Checks the types of the existing members. */
static bool check_types(struct import_line *line)
{
	for (size_t i = 0; i < MEMBERS; i++) {
		const struct scan_member *member = &line->members[i];

		if (member->found && !member->string.data)
			return import_member_refuse(line, "\"%s\" must %s", member->name.data,
						    wanted_of(member->type));
	}
	return true;
}

static bool read_slowly(struct import_line *line, char *text, size_t len)
{
	struct json_fault fault;

	/* Unknown members may come from a later version. */
	if (json_read(text, len, line->members, MEMBERS, NULL, NULL, &fault))
		return check_types(line);
	if (fault.no_memory)
		return import_member_refuse_no_memory(line);
	if (fault.path[0] != '\0')
		return import_member_refuse(line, "\"%s\" %s", fault.path, fault.what);
	if (fault.line == 0)
		return import_member_refuse(line, "the line must be a JSON object; it %s",
					    fault.what);
	return import_member_refuse(line, "not valid JSON (column %zu): %s", fault.column,
				    fault.what);
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

/* The kind of a line that ends an export. */
static enum import_kind kind_of_end(struct import_line *line, uint64_t *ret_entries)
{
	struct slice complete = line->members[MEMBER_COMPLETE].string;

	if (slice_equal(complete, SLICE("false")))
		return LINE_OTHER;
	if (!slice_equal(complete, SLICE("true"))) {
		(void)import_member_refuse(line, "\"complete\" must be true or false");
		return LINE_BAD;
	}
	*ret_entries = ENTRIES_UNKNOWN;
	return import_member_whole(line, MEMBER_ENTRIES, INT64_MAX / 16, ret_entries)
		       ? LINE_COMPLETE
		       : LINE_BAD;
}

static enum import_kind kind_of(struct import_line *line, struct import_line_result *ret)
{
	const struct scan_member *members = line->members;

	if (members[MEMBER_FORMAT].found) {
		uint64_t format = 0;

		if (import_member_whole(line, MEMBER_FORMAT, INT64_MAX / 16, &format) &&
		    format == EXPORT_FORMAT) {
			ret->exported_at_us = 0;
			return import_member_time(line, MEMBER_CREATED_AT, &ret->exported_at_us)
				       ? LINE_HEADER
				       : LINE_BAD;
		}
		(void)import_member_refuse(
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
		return kind_of_end(line, &ret->entries);
	return members[MEMBER_CURSOR].found && !members[MEMBER_KEY].found &&
			       !members[MEMBER_KEY_BASE64].found
		       ? LINE_CURSOR
		       : LINE_ENTRY;
}

enum import_kind import_line_read(const struct handler_context *context, struct slice ns,
				  char *text, size_t len, struct import_line_result *ret,
				  char error[static IMPORT_ERROR_BYTES])
{
	struct import_line line = {.context = context, .error = error};
	enum import_kind kind = LINE_BAD;

	if (read_members(&line, text, len))
		kind = kind_of(&line, ret);
	if (kind == LINE_ENTRY && !import_entry_read(&line, ns, &ret->entry))
		kind = LINE_BAD;
	return line.no_memory ? LINE_NO_MEMORY : kind;
}
