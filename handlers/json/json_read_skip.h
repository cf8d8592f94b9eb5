/* Skips a value of JSON, for json_read.h. */
#ifndef STEADYCACHE_HANDLERS_JSON_READ_SKIP_H
#define STEADYCACHE_HANDLERS_JSON_READ_SKIP_H

#include "handlers/json/json_scan.h"
#include "handlers/json/json_scan_string.h"

/* Moves over one value, which may have blanks before it and must be UTF-8; *ret is its kind (true
 * and false are KIND_OTHER). Surrogates in strings need not be paired. Returns NULL, or what is
 * wrong at the cursor's position. */
const char *json_skip_value(struct scan_cursor *cursor, enum scan_kind *ret);

#endif
