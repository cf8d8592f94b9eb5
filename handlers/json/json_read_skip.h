/* Passing over a value of JSON, for json_read.h. */
#ifndef STEADYCACHE_HANDLERS_JSON_READ_SKIP_H
#define STEADYCACHE_HANDLERS_JSON_READ_SKIP_H

#include "handlers/json/json_scan.h"
#include "handlers/json/json_scan_string.h"

/* Moves over one value, blanks before it allowed, which is in UTF-8; *ret is what it was (true and
 * false are KIND_OTHER). Surrogates in strings need not be in pairs. The result is NULL, or what is
 * wrong where the cursor stands. */
const char *json_skip_value(struct scan_cursor *cursor, enum scan_kind *ret);

#endif
