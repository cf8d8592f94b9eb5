/* Properties of bytes as text. */
#ifndef STEADYCACHE_BASE_UTF8_H
#define STEADYCACHE_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Valid UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF. U+0000 is
 * valid. */
bool utf8_is_valid(struct slice bytes);

/* Printable ASCII without `"` and `\`: may be copied unchanged into a JSON string. */
bool utf8_is_json_plain(struct slice bytes);

/* What is known of a text that comes in pieces. A zeroed one has seen nothing. */
struct utf8_scan {
	bool is_broken, is_odd; /* is not UTF-8; is not plain for JSON */
	uint8_t rest_len;
	uint8_t rest[4]; /* of a sequence that the next piece may end */
};

void utf8_scan(struct utf8_scan *scan, struct slice piece);
/* After the last piece: whether all of it is valid UTF-8, and plain for JSON. */
bool utf8_scan_is_valid(const struct utf8_scan *scan);
bool utf8_scan_is_json_plain(const struct utf8_scan *scan);

#endif
