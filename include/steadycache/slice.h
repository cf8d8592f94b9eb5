/* A borrowed run of bytes: pointer and length, not NUL-terminated. C and C++. */
#ifndef STEADYCACHE_SLICE_H
#define STEADYCACHE_SLICE_H

#include <stddef.h>

struct slice {
	const char *data; /* may be NULL if len is 0 */
	size_t len;       /* bytes */
};

#endif
