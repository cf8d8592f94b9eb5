/* A heap of entries that may be the next victim: on top is the one with the lowest score, and among
 * equal scores the one that has been unused the longest. */
#ifndef STEADYCACHE_SQLITE_CANDIDATES_H
#define STEADYCACHE_SQLITE_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct candidate {
	double score;
	int64_t id, frequency, last_access_us;
	bool heads_list; /* the next of its frequency follows it into the heap */
};

/* A zeroed one is empty; the caller frees items. */
struct candidates {
	struct candidate *items;
	size_t count, capacity;
};

/* False: out of memory. */
bool candidates_push(struct candidates *heap, const struct candidate *candidate);
/* Removes the first of a heap that is not empty. */
struct candidate candidates_pop(struct candidates *heap);

#endif
