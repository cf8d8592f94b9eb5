/* Values as Python's str() and repr() print them. */
#ifndef STEADYCACHE_PICKLE_PYTHON_TEXT_H
#define STEADYCACHE_PICKLE_PYTHON_TEXT_H

#include "base/buffer.h"
#include "pickle/graph.h"

/* Appends repr(text) of a str, with its quotes. `text` is UTF-8 as in PICKLE_STR; what is not
 * printable is escaped by the Unicode version that python_unicode_version names. */
void python_repr_of_str(struct buffer *ret, struct slice text);

/* "14.0": which code points count as printable; a str with code points that were assigned later is
 * escaped. */
extern const char python_unicode_version[];

/* Appends str(value), as UTF-8, of a str, bytes, int, float, bool, None, or of tuples, lists and
 * dicts of these. False with `error`: a value whose text is not the same in every process or needs
 * code (an object, a set), a str with a lone surrogate (no UTF-8), nesting deeper than
 * PICKLE_DEPTH_MAX, a result longer than `max_bytes`. */
bool python_str(const struct pickle_node *value, size_t max_bytes, struct buffer *ret,
		struct pickle_error *error);

#endif
