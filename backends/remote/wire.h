/* The pieces of JSON that the dialects share. Bytes are "name" if they are UTF-8 and "name_b64" if
 * they are not. */
#ifndef STEADYCACHE_REMOTE_WIRE_H
#define STEADYCACHE_REMOTE_WIRE_H

#include <jansson.h>

#include "base/buffer.h"
#include "store/backend.h"

/* `"name":"text"` or `"name_b64":"base64"`. */
void remote_wire_write_bytes(struct buffer *out, const char *name, struct slice bytes);
/* `"name":"text"`; the text is valid UTF-8. */
void remote_wire_write_text(struct buffer *out, const char *name, struct slice text);
/* `"name":number` */
void remote_wire_write_integer(struct buffer *out, const char *name, int64_t number);

/* The answer as a JSON object, which the caller decrefs; NULL if it is not one. False: out of
 * memory. */
bool remote_wire_read_object(struct slice body, json_t **ret);

/* The member "name" or "name_b64" of `object`, for remote_wire_decode_bytes. False if neither is a
 * string. */
struct remote_wire_bytes {
	struct slice text; /* borrowed from the JSON */
	bool is_base64;
};
bool remote_wire_read_bytes(const json_t *object, const char *name, struct remote_wire_bytes *ret);
/* The most room that the decoded bytes need. */
size_t remote_wire_bytes_max(const struct remote_wire_bytes *bytes);
/* Decodes into `target` of that size. False: not base64. */
bool remote_wire_decode_bytes(const struct remote_wire_bytes *bytes, char *target, size_t *ret_len);

/* A sealed value of `bytes` with `content_type`. CACHE_NO_MEMORY, or CACHE_UNAVAILABLE if they are
 * not base64. */
enum cache_status remote_wire_make_value(const struct remote_wire_bytes *bytes,
					 struct slice content_type, struct cache_value **ret);

/* A number (fractions are cut off), or `fallback` if there is none. */
int64_t remote_wire_read_integer(const json_t *object, const char *name, int64_t fallback);
/* Whether there is a number that is not negative. */
bool remote_wire_has_count(const json_t *object, const char *name);
double remote_wire_read_double(const json_t *object, const char *name);
/* A string, or the empty slice. */
struct slice remote_wire_read_text(const json_t *object, const char *name);

#endif
