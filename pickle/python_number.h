/* Numbers as Python prints them. */
#ifndef STEADYCACHE_PICKLE_PYTHON_NUMBER_H
#define STEADYCACHE_PICKLE_PYTHON_NUMBER_H

#include <stdint.h>

#include "base/buffer.h"

/* Most digits of an int that Python prints (sys.set_int_max_str_digits). */
#define PYTHON_INT_DIGITS_MAX 4300

/* Appends the int whose little-endian two's complement is `bytes`, in decimal. False, with nothing
 * appended: it has more digits than PYTHON_INT_DIGITS_MAX. */
bool python_number_int(struct slice bytes, struct buffer *ret);

/* Appends repr(real): the shortest digits from which the same double is read again. */
void python_number_float(double real, struct buffer *ret);

/* The same of a binary floating-point number of IEEE 754 that has `size` bytes, 2, 4 or 8, as numpy
 * prints its floats. `is_part`: as a part of a complex number, without ".0". */
void python_number_real(uint64_t bits, size_t size, bool is_part, struct buffer *ret);

#endif
