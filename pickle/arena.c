#include "pickle/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT       8
#define BLOCK_MIN_BYTES ((size_t)4 * 1024)
#define BLOCK_MAX_BYTES ((size_t)256 * 1024)
/* From this size on an allocation is a block of its own. */
#define LARGE_BYTES ((size_t)32 * 1024)

struct pickle_arena_block {
	struct pickle_arena_block *previous, *next;
	size_t size;
	char bytes[];
};

void pickle_arena_init(struct pickle_arena *arena, struct pickle_budget *budget)
{
	*arena = (struct pickle_arena){.budget = budget, .next_block_bytes = BLOCK_MIN_BYTES};
}

void pickle_arena_deinit(struct pickle_arena *arena)
{
	struct pickle_arena_block *next;

	for (struct pickle_arena_block *block = arena->blocks; block; block = next) {
		next = block->next;
		arena->budget->used_bytes -= block->size;
		free(block);
	}
	arena->blocks = NULL;
	arena->at = arena->end = NULL;
}

static bool budget_allows(struct pickle_budget *budget, size_t size)
{
	if (size <= budget->limit_bytes && budget->used_bytes <= budget->limit_bytes - size)
		return true;
	budget->is_spent = true;
	return false;
}

bool pickle_budget_use(struct pickle_budget *budget, size_t bytes)
{
	if (!budget_allows(budget, bytes))
		return false;
	budget->used_bytes += bytes;
	return true;
}

static void link_block(struct pickle_arena *arena, struct pickle_arena_block *block)
{
	if (block->previous)
		block->previous->next = block;
	else
		arena->blocks = block;
	if (block->next)
		block->next->previous = block;
}

static struct pickle_arena_block *add_block(struct pickle_arena *arena, size_t size)
{
	if (!budget_allows(arena->budget, size))
		return NULL;

	struct pickle_arena_block *block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	arena->budget->used_bytes += size;
	*block = (struct pickle_arena_block){.next = arena->blocks, .size = size};
	link_block(arena, block);
	return block;
}

/* `size` as it is charged; 0: too large for any budget. */
static size_t rounded(size_t size)
{
	if (size > SIZE_MAX / 4)
		return 0;
	return size ? (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1) : ALIGNMENT;
}

void *pickle_arena_alloc(struct pickle_arena *arena, size_t size)
{
	struct pickle_arena_block *block;

	size = rounded(size);
	if (size == 0) {
		arena->budget->is_spent = true;
		return NULL;
	}
	if (size >= LARGE_BYTES) {
		block = add_block(arena, size);
		return block ? block->bytes : NULL;
	}
	if ((size_t)(arena->end - arena->at) < size) {
		while (arena->next_block_bytes < size)
			arena->next_block_bytes *= 2;
		block = add_block(arena, arena->next_block_bytes);
		if (!block)
			return NULL;
		arena->at = block->bytes;
		arena->end = arena->at + block->size;
		if (arena->next_block_bytes < BLOCK_MAX_BYTES)
			arena->next_block_bytes *= 2;
	}
	char *ret = arena->at;
	arena->at += size;
	return ret;
}

static void *grow_block(struct pickle_arena *arena, char *old, size_t size)
{
	struct pickle_arena_block *block =
		(void *)(old - offsetof(struct pickle_arena_block, bytes));
	size_t old_size = block->size;

	if (!budget_allows(arena->budget, size - old_size))
		return NULL;
	block = realloc(block, sizeof(*block) + size);
	if (!block)
		return NULL;
	arena->budget->used_bytes += size - old_size;
	block->size = size;
	link_block(arena, block);
	return block->bytes;
}

void *pickle_arena_grow(struct pickle_arena *arena, void *old, size_t old_size, size_t size)
{
	if (!old)
		return pickle_arena_alloc(arena, size);

	char *bytes = old;
	size_t held = rounded(old_size), wanted = rounded(size);
	if (wanted == 0) {
		arena->budget->is_spent = true;
		return NULL;
	}
	if (wanted <= held)
		return old;
	if (held >= LARGE_BYTES)
		return grow_block(arena, bytes, wanted);
	if (bytes + held == arena->at && wanted - held <= (size_t)(arena->end - arena->at) &&
	    wanted < LARGE_BYTES) {
		arena->at += wanted - held;
		return old;
	}
	void *grown = pickle_arena_alloc(arena, size);
	if (grown)
		memcpy(grown, old, old_size);
	return grown;
}
