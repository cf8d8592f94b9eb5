/* Percent-decoding (RFC 3986), strict and once. */
#ifndef STEADYCACHE_BASE_PERCENT_H
#define STEADYCACHE_BASE_PERCENT_H

#include <stdbool.h>

#include "base/slice.h"

/* Decodes `raw` into `out` (room for raw.len bytes; may be raw.data itself) and sets *ret_len. `+`
 * is an ordinary character. False if a `%` is not followed by two hex digits. */
bool percent_decode(struct slice raw, char *out, size_t *ret_len);

#endif
