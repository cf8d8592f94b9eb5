#include "handlers/json/head_json.h"

#include <stdint.h>
#include <stdio.h>

#include "base/json_out.h"
#include "handlers/json/json_scan_string.h"

void head_json_append(struct buffer *json, const struct cache_value *value)
{
	const char *before = ",\"headers\":{";
	struct slice rest, name, text;

	if (!cache_value_has_headers(value))
		return;
	rest = value_head_headers(cache_value_head(value));
	while (value_head_next(&rest, &name, &text)) {
		json_out_raw(json, before);
		json_out_string(json, name);
		json_out_raw(json, ":");
		json_out_string(json, text);
		before = ",";
	}
	json_out_raw(json, "}");
}

/* The next name and value, behind the comma if there is one. False: no strings come. */
static bool take(struct scan_cursor *cursor, struct slice *ret_name, struct slice *ret_value)
{
	if (!json_scan_string(cursor, ret_name) || !json_scan_take(cursor, ':') ||
	    !json_scan_string(cursor, ret_value))
		return false;
	json_scan_decode(ret_name);
	json_scan_decode(ret_value);
	return true;
}

static bool refuse(char error[static HEAD_JSON_ERROR_BYTES], struct slice name,
		   enum value_head_verdict verdict)
{
	bool is_shown = name.len <= VALUE_HEADER_NAME_MAX_LEN && content_type_is_valid(name);

	(void)snprintf(error, HEAD_JSON_ERROR_BYTES, "has a header that cannot be kept: %.*s %s",
		       is_shown ? (int)name.len : 8, is_shown ? name.data : "its name",
		       value_head_complaint(verdict));
	return false;
}

bool head_json_read(struct slice object, struct value_head_room *room,
		    char error[static HEAD_JSON_ERROR_BYTES])
{
	char *text = (char *)(uintptr_t)object.data;
	struct scan_cursor cursor = {.at = text, .end = text + object.len};
	struct slice name, value;

	(void)snprintf(error, HEAD_JSON_ERROR_BYTES, "must be an object of strings");
	if (!object.data || !json_scan_take(&cursor, '{'))
		return false;
	if (json_scan_take(&cursor, '}'))
		return true;
	do {
		if (!take(&cursor, &name, &value))
			return false;
		enum value_head_verdict verdict = value_head_add(room, name, value);

		if (verdict != HEAD_ADDED)
			return refuse(error, name, verdict);
	} while (json_scan_take(&cursor, ','));
	return true;
}
