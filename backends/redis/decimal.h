/* Numbers in decimal digits, as the server and the URL write them. Any thread. */
#ifndef STEADYCACHE_REDIS_DECIMAL_H
#define STEADYCACHE_REDIS_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* -1: it is none, or one of more than 16 digits. */
int64_t redis_decimal(struct slice text);

/* False, and *ret as it was: it is none, or one beyond `max`. */
bool redis_decimal_up_to(struct slice text, unsigned max, unsigned *ret);

#endif
