/* Paths and queries for any bytes, and base64. */
#ifndef STEADYCACHE_CLIENT_TARGET_H
#define STEADYCACHE_CLIENT_TARGET_H

#include "base/buffer.h"

/* Percent-encodes all but the unreserved characters of RFC 3986, so also "/". "." is encoded if the
 * whole text is "." or "..", which a proxy might otherwise remove. */
void target_append(struct buffer *target, struct slice text);

/* Adds "?name=" or "&name=" and the encoded value. Does nothing for a NULL value. */
void target_query(struct buffer *target, const char *name, struct slice value);

/* Standard or URL alphabet, padding optional. False if `text` is not base64. */
bool target_base64(struct slice text, struct buffer *ret);

#endif
