/* Properties of bytes as text. */
#ifndef STEADYCACHE_BASE_UTF8_H
#define STEADYCACHE_BASE_UTF8_H

#include <stdbool.h>

#include "base/slice.h"

/* Valid UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. U+0000 is
 * valid. */
bool utf8_is_valid(struct slice bytes);

/* Printable ASCII without `"` and `\`: may be copied unchanged into a JSON string. */
bool utf8_is_json_plain(struct slice bytes);

#endif
