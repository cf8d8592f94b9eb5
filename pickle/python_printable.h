/* Which characters Python's repr() of a str shows as they are. */
#ifndef STEADYCACHE_PICKLE_PYTHON_PRINTABLE_H
#define STEADYCACHE_PICKLE_PYTHON_PRINTABLE_H

#include <stdbool.h>
#include <stdint.h>

/* Releases of Python differ in their Unicode: a later one knows more characters, and escapes none
 * that an earlier one shows. */
enum python_release {
	PYTHON_3_10, /* Unicode 13.0 */
	PYTHON_3_11, /* 14.0 */
	PYTHON_3_12, /* 15.0 */
	PYTHON_3_13, /* 15.1 */
	PYTHON_3_14, /* 16.0 */
	PYTHON_3_15, /* 17.0 */
	PYTHON_RELEASE_DEFAULT = PYTHON_3_11,
};

/* Whether str.isprintable() is true of the character: all but controls, formats, surrogates,
 * private and unassigned ones, and separators other than the space. */
bool python_printable(uint32_t code_point, enum python_release release);

#endif
