/* UTF-8 as pickles have it. */
#ifndef STEADYCACHE_PICKLE_READ_UTF8_H
#define STEADYCACHE_PICKLE_READ_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

bool pickle_is_ascii(struct slice bytes);
/* UTF-8 in which surrogates may stand, as Python's "surrogatepass" takes it. */
bool pickle_is_text(struct slice bytes);

/* The rest is for text of which pickle_is_text() is true. */
size_t pickle_code_points(struct slice text);
/* Writes its `len` code points to `ret` as bytes. False: one is above 255, and `ret` is of no use.
 */
bool pickle_to_latin1(struct slice text, size_t len, uint8_t *ret);

#endif
