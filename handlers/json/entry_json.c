#include "handlers/json/entry_json.h"

#include <inttypes.h>

#include "base/buffer.h"
#include "base/json_out.h"
#include "base/utf8.h"

void entry_json_append_key(struct buffer *json, struct slice key)
{
	if (utf8_is_valid(key)) {
		json_out_raw(json, "\"key\":");
		json_out_string(json, key);
	} else {
		json_out_raw(json, "\"key_base64\":");
		json_out_base64(json, key);
	}
}

void entry_json_append_history(struct buffer *json, const struct cache_entry_info *info,
			       int64_t expires_at_us)
{
	buffer_printf(json, ",\"frequency\":%" PRIu64 ",\"last_access\":", info->frequency);
	json_out_time(json, info->last_access_us);
	json_out_raw(json, ",\"created_at\":");
	json_out_time(json, info->created_at_us);
	if (expires_at_us == HISTORY_TTL)
		return;
	json_out_raw(json, ",\"expires_at\":");
	if (expires_at_us > 0)
		json_out_time(json, expires_at_us);
	else
		json_out_raw(json, "null");
}
