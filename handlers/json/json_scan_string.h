/* The strings of json_scan.h: found first, decoded when the whole text is known to be good. */
#ifndef STEADYCACHE_HANDLERS_JSON_SCAN_STRING_H
#define STEADYCACHE_HANDLERS_JSON_SCAN_STRING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct scan_cursor {
	char *at, *end;
};

/* Moves over white space. */
void json_scan_blank(struct scan_cursor *cursor);

/* Moves over `c`, blanks before it allowed. False: something else comes. */
bool json_scan_take(struct scan_cursor *cursor, char c);

/* Moves over a string, blanks before it allowed; *ret is what stands between its quotes, still
 * escaped, and is known to be valid. False: there is no valid string. */
bool json_scan_string(struct scan_cursor *cursor, struct slice *ret);

/* Whether all escapes in `text`, which has no quote but behind a backslash, are good: those of
 * surrogates in pairs. */
bool json_scan_escapes_are_good(struct slice text);

/* Decodes a string whose escapes are good, in place. */
void json_scan_decode(struct slice *string);

#endif
