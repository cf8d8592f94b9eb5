/* What a pickle has numbered with PUT and MEMOIZE. A large number costs no more than a small one.
 */
#ifndef STEADYCACHE_PICKLE_MEMO_H
#define STEADYCACHE_PICKLE_MEMO_H

#include <stdint.h>

#include "pickle/arena.h"

struct pickle_node;

struct pickle_memo_slot {
	uint64_t index;
	struct pickle_node *node; /* NULL: free */
};

/* Numbers are given in ascending order as a rule, and are then indices of `dense`; the rest are in
 * a table. */
struct pickle_memo {
	struct pickle_arena *arena;
	struct pickle_node **dense;
	size_t dense_room;
	struct pickle_memo_slot *table; /* open addressing; room is a power of two */
	size_t table_count, table_room;
	uint64_t seed;  /* chooses the places in `table` */
	uint64_t count; /* of numbers in use */
};

/* `seed` is not known to who wrote the pickle. */
void pickle_memo_init(struct pickle_memo *memo, struct pickle_arena *arena, uint64_t seed);
/* False: out of memory. */
bool pickle_memo_put(struct pickle_memo *memo, uint64_t index, struct pickle_node *node);
/* NULL: there is none. */
struct pickle_node *pickle_memo_get(const struct pickle_memo *memo, uint64_t index);

#endif
