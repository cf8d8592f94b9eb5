/* The elements of numpy's arrays: bytes of a data type as text. */
#ifndef STEADYCACHE_PICKLE_VIEW_NUMBER_H
#define STEADYCACHE_PICKLE_VIEW_NUMBER_H

#include <stdint.h>

#include "base/buffer.h"

/* A simple data type. */
struct view_dtype {
	char kind;          /* as numpy.dtype.kind: b i u f c S U V M m */
	bool is_big_endian; /* only where an element has an order of bytes */
	uint32_t size;      /* bytes of an element */
	char name[40];      /* as numpy prints it: "float32", ">f4", "S5", "datetime64[ns]" */
};

/* Fills *ret from the text of a data type ("f4") and its byte order ("<", ">", "|" or "="), with
 * the name of a time still without its unit. False: it is none whose elements view_number_put
 * knows. */
bool view_number_dtype(struct slice text, char order, struct view_dtype *ret);

/* Appends the element that is at `bytes`: numbers in the fewest digits that give the same one,
 * times as their number of units, strings as repr(), of which no more than about `max_bytes` need
 * be right. */
void view_number_put(const struct view_dtype *dtype, const char *bytes, size_t max_bytes,
		     struct buffer *ret);

#endif
