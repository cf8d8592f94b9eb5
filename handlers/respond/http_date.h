/* HTTP dates (RFC 9110, IMF-fixdate): "Sun, 06 Nov 1994 08:49:37 GMT". */
#ifndef STEADYCACHE_HANDLERS_HTTP_DATE_H
#define STEADYCACHE_HANDLERS_HTTP_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define HTTP_DATE_LEN 29

/* Writes the date of `time_s` (seconds since 1970) and a NUL. */
void http_date_format(int64_t time_s, char text[static HTTP_DATE_LEN + 1]);

/* Parses a date in one of the three forms of RFC 9110, 5.6.7, into seconds since 1970; false if
 * `text` is not one. */
bool http_date_parse(struct slice text, int64_t *ret_s);

#endif
