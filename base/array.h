/* Arrays that grow by doubling. */
#ifndef STEADYCACHE_BASE_ARRAY_H
#define STEADYCACHE_BASE_ARRAY_H

#include <stdlib.h>

#define ARRAY_CAPACITY_MIN 16

/* The malloc'ed array `items` with room for another item behind `count` of them; NULL and 0 are an
 * empty one. It may have moved, and *capacity be larger. NULL: out of memory, and all is as it was.
 */
static inline void *array_with_room(void *items, size_t count, size_t *capacity, size_t item_bytes)
{
	if (count < *capacity)
		return items;

	size_t larger = *capacity ? *capacity * 2 : ARRAY_CAPACITY_MIN;
	void *grown = realloc(items, larger * item_bytes);
	if (grown)
		*capacity = larger;
	return grown;
}

#endif
