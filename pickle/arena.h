/* Memory of a graph: allocated in blocks, freed at once, within a budget. */
#ifndef STEADYCACHE_PICKLE_ARENA_H
#define STEADYCACHE_PICKLE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* What several arenas may take together. */
struct pickle_budget {
	size_t used_bytes, limit_bytes;
	bool is_spent; /* an allocation failed because of the limit */
};

/* Counts bytes that are not allocated: what a graph has once and Python would copy, which bounds
 * the work on it. False: the budget is spent. */
bool pickle_budget_use(struct pickle_budget *budget, size_t bytes);

struct pickle_arena_block;

struct pickle_arena {
	struct pickle_budget *budget;
	struct pickle_arena_block *blocks;
	char *at, *end; /* what is free of the latest block of small allocations */
	size_t next_block_bytes;
};

/* `budget` must stay as long as the arena. */
void pickle_arena_init(struct pickle_arena *arena, struct pickle_budget *budget);
void pickle_arena_deinit(struct pickle_arena *arena);

/* `size` bytes, aligned for pointers and numbers. NULL: out of memory, or the budget is spent. */
void *pickle_arena_alloc(struct pickle_arena *arena, size_t size);
/* Makes `old` of `old_size` bytes (NULL and 0: none) larger. It may have moved; large ones are not
 * copied. NULL as above; `old` is then as it was. */
void *pickle_arena_grow(struct pickle_arena *arena, void *old, size_t old_size, size_t size);

#endif
