/* Writing JSON: compact, escaped as JSON.stringify does. */
#ifndef STEADYCACHE_BASE_JSON_OUT_H
#define STEADYCACHE_BASE_JSON_OUT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/value.h"

/* `"text"`; the text is valid UTF-8. */
void json_out_string(struct buffer *buffer, struct slice text);
/* `"base64"` of any bytes. */
void json_out_base64(struct buffer *buffer, struct slice bytes);
/* A whole number without a fraction (1, not 1.0), any other in the shortest form that reads back
 * the same. */
void json_out_double(struct buffer *buffer, double number);
void json_out_integer(struct buffer *buffer, int64_t number);
/* Microseconds as seconds with six decimals. */
void json_out_time(struct buffer *buffer, int64_t time_us);
/* Appends literal JSON. */
void json_out_raw(struct buffer *buffer, const char *json);
/* `"value":"…"`, and `,"encoding":"base64"` if the bytes are not UTF-8. */
void json_out_value(struct buffer *buffer, const struct cache_value *value);

#endif
