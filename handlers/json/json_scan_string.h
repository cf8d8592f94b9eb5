/* The strings of json_scan.h: found first, decoded once the whole text is known to be valid. */
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

/* Moves over `c` and any blanks before it. False: something else comes. */
bool json_scan_take(struct scan_cursor *cursor, char c);

/* Moves over a string and any blanks before it; *ret is the text between its quotes, still escaped,
 * and known to be valid. False: there is no valid string. */
bool json_scan_string(struct scan_cursor *cursor, struct slice *ret);

/* Whether all escapes in `text`, in which each quote follows a backslash, are valid: surrogates
 * must be paired. */
bool json_scan_escapes_are_good(struct slice text);

/* Decodes a string whose escapes are valid, in place. */
void json_scan_decode(struct slice *string);

#endif
