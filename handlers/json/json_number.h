/* Numbers of JSON (RFC 8259, 6): one rule for every reader. A number that must be whole may be
 * written in any equivalent way (1000, 1e3, 1000.0). */
#ifndef STEADYCACHE_HANDLERS_JSON_NUMBER_H
#define STEADYCACHE_HANDLERS_JSON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* How many bytes from `from` on form a number; 0: none. */
size_t json_number_len(const char *from, const char *end);

/* Whether all of `text` is a number. */
static inline bool json_number_is(struct slice text)
{
	return text.len > 0 && json_number_len(text.data, text.data + text.len) == text.len;
}

/* The number times 10^`scale`, rounded to the nearest, if that is from 0 to `max`; *ret_exact says
 * whether nothing was rounded. False: `text` is not a number or out of these bounds. */
bool json_number_scaled(struct slice text, int scale, int64_t max, int64_t *ret, bool *ret_exact);

/* A whole number from 0 to `max`. */
bool json_number_whole(struct slice text, int64_t max, int64_t *ret);

#endif
