/* JSON members of an entry, shared by listings and exports. */
#ifndef STEADYCACHE_HANDLERS_ENTRY_JSON_H
#define STEADYCACHE_HANDLERS_ENTRY_JSON_H

#include "base/buffer.h"
#include "store/backend.h"

/* "key":.. or, if it is not UTF-8, "key_base64":.. */
void entry_json_append_key(struct buffer *json, struct slice key);
/* ,"frequency":..,"last_access":..,"created_at":..,"expires_at":.. (null if it is 0, left out if it
 * is HISTORY_TTL). */
void entry_json_append_history(struct buffer *json, const struct cache_entry_info *info,
			       int64_t expires_at_us);

#endif
