/* Values as Python's str() and repr() print them. */
#ifndef STEADYCACHE_PICKLE_PYTHON_TEXT_H
#define STEADYCACHE_PICKLE_PYTHON_TEXT_H

#include "base/buffer.h"
#include "pickle/graph.h"
#include "pickle/python_printable.h"

/* Appends repr(text) of a str, with its quotes. `text` is UTF-8 as in PICKLE_STR; bytes that are
 * none become \xNN. */
void python_repr_of_str(struct buffer *ret, struct slice text, enum python_release release);

/* Appends repr(bytes) of a bytes object: b'...'. */
void python_repr_of_bytes(struct buffer *ret, struct slice bytes);

/* Appends str(value), as UTF-8, of a str, bytes, bytearray, int, float, bool, None, or of tuples,
 * lists and dicts of these. False with `error`, and `ret` as it was: a value whose text is not the
 * same in every process or needs code (an object, a set), a str with a lone surrogate (no UTF-8),
 * an int that Python refuses to print, nesting deeper than PICKLE_DEPTH_MAX (or endless), a result
 * longer than `max_bytes`, out of memory. */
bool python_str(const struct pickle_node *value, enum python_release release, size_t max_bytes,
		struct buffer *ret, struct pickle_error *error);

#endif
