/* The headers of a value (base/value_head.h) as a JSON object of strings, in batches and exports.
 */
#ifndef STEADYCACHE_HANDLERS_HEAD_JSON_H
#define STEADYCACHE_HANDLERS_HEAD_JSON_H

#include "base/buffer.h"
#include "base/value.h"

#define HEAD_JSON_ERROR_BYTES 360

/* ,"headers":{...}; nothing if the value has none. */
void head_json_append(struct buffer *json, const struct cache_value *value);

/* Adds the headers of `object`, a SCAN_OBJECT, to the head in `room`; overwrites the text. False:
 * `error` has what is wrong, to follow the name of the member. */
bool head_json_read(struct slice object, struct value_head_room *room,
		    char error[static HEAD_JSON_ERROR_BYTES]);

#endif
