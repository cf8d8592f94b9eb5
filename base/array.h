/* Arrays that grow by doubling. */
#ifndef STEADYCACHE_BASE_ARRAY_H
#define STEADYCACHE_BASE_ARRAY_H

#include <stdlib.h>

#define ARRAY_CAPACITY_MIN 16

/* The malloc'ed array `items`, with room for one more item after the first `count`; NULL and 0
 * stand for an empty array. It may have moved, and *capacity may have grown. NULL: out of
 * memory, and nothing has changed. */
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
