/* The pieces of JSON that the dialects share. Bytes stand as "name" where they are UTF-8 and as
 * "name_b64" where they are not. */
#ifndef STEADYCACHE_D1_WIRE_H
#define STEADYCACHE_D1_WIRE_H

#include <jansson.h>

#include "base/buffer.h"
#include "store/backend.h"

/* `"name":"text"` or `"name_b64":"base64"`. */
void d1_write_bytes(struct buffer *out, const char *name, struct slice bytes);
/* `"name":"text"`; the text is valid UTF-8. */
void d1_write_text(struct buffer *out, const char *name, struct slice text);
/* `"name":number` */
void d1_write_integer(struct buffer *out, const char *name, int64_t number);

/* The answer as a JSON object, to be decref'ed; NULL where it is none. False: out of memory. */
bool d1_read_object(struct slice body, json_t **ret);

/* What stands as "name" or "name_b64" in `object`: for d1_take_bytes. False where neither is a
 * string. */
struct d1_bytes {
	struct slice text; /* borrowed from the JSON */
	bool is_base64;
};
bool d1_read_bytes(const json_t *object, const char *name, struct d1_bytes *ret);
/* Room that the decoded bytes need at most. */
size_t d1_bytes_max(const struct d1_bytes *bytes);
/* Decodes into `target` of that size. False: not base64. */
bool d1_decode_bytes(const struct d1_bytes *bytes, char *target, size_t *ret_len);

/* A sealed value of `bytes` with `content_type`. CACHE_NO_MEMORY, or CACHE_UNAVAILABLE where they
 * are not base64. */
enum cache_status d1_make_value(const struct d1_bytes *bytes, struct slice content_type,
				struct cache_value **ret);

/* A number (fractions are cut), or `fallback` where there is none. */
int64_t d1_read_integer(const json_t *object, const char *name, int64_t fallback);
/* Whether there is a number that is not negative. */
bool d1_has_count(const json_t *object, const char *name);
double d1_read_double(const json_t *object, const char *name);
/* A string, or the empty slice. */
struct slice d1_read_text(const json_t *object, const char *name);

#endif
