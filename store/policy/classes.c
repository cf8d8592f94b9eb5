/* A sorted array of classes, cut into blocks.
 *
 * Most shards have a handful of classes, and one short block. But an import may bring a different
 * frequency for each entry, and then there are as many classes as entries: in a single array each
 * insertion between two others would move half of all. In blocks it moves at most half of its
 * block. A full block drops its empty classes, grows, or is split. */
#include "store/policy/classes.h"

#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

#define BLOCK_MIN 4
#define BLOCK_MAX 128

bool classes_prepare(struct classes *classes)
{
	if (classes->blocks)
		return true;
	struct class_block *block = malloc(sizeof(*block));
	struct frequency_class *first = calloc(BLOCK_MIN, sizeof(*first));
	if (!block || !first) {
		free(block);
		free(first);
		return false;
	}
	first->frequency = 1;
	*block = (struct class_block){.classes = first, .count = 1, .capacity = BLOCK_MIN};
	*classes = (struct classes){.blocks = block, .block_count = 1, .block_capacity = 1};
	return true;
}

void classes_deinit(struct classes *classes)
{
	for (uint32_t i = 0; i < classes->block_count; i++)
		free(classes->blocks[i].classes);
	free(classes->blocks);
	*classes = (struct classes){0};
}

/* ---- Search ---- */

struct class_block *classes_block(const struct classes *classes, uint32_t frequency)
{
	uint32_t low = 0;
	uint32_t high = classes->block_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (classes->blocks[middle].least <= frequency)
			low = middle;
		else
			high = middle;
	}
	INVARIANT(low == 0 || classes->blocks[low].least <= frequency);
	INVARIANT(high == classes->block_count || classes->blocks[high].least > frequency);
	return &classes->blocks[low];
}

/* Index of the first class of at least `frequency` in the block; its count if there is none. */
static uint32_t index_in(const struct class_block *block, uint32_t frequency)
{
	uint32_t low = 0;
	uint32_t high = block->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (block->classes[middle].frequency < frequency)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct frequency_class *classes_find(const struct classes *classes, uint32_t frequency)
{
	struct class_block *block = classes_block(classes, frequency);
	uint32_t index = index_in(block, frequency);

	INVARIANT(index < block->count && block->classes[index].frequency == frequency);
	return &block->classes[index];
}

struct frequency_class *classes_last(const struct classes *classes)
{
	if (classes->block_count == 0)
		return NULL;

	const struct class_block *block = &classes->blocks[classes->block_count - 1];
	return &block->classes[block->count - 1];
}

/* ---- Changes ---- */

static void drop_empty(const struct classes *classes, struct class_block *block)
{
	uint16_t kept = block == classes->blocks; /* the first of all stays */

	for (uint16_t i = kept; i < block->count; i++)
		if (block->classes[i].entry_count > 0)
			block->classes[kept++] = block->classes[i];
	block->count = kept;
}

static bool grow(struct class_block *block)
{
	INVARIANT(block->capacity >= BLOCK_MIN);
	struct frequency_class *larger =
		realloc(block->classes, (size_t)block->capacity * 2 * sizeof(*block->classes));

	if (!larger)
		return false;
	block->classes = larger;
	block->capacity = (uint16_t)(block->capacity * 2);
	return true;
}

/* Moves the upper half of a block to a new one after it. */
static bool split(struct classes *classes, uint32_t index)
{
	if (classes->block_count == classes->block_capacity) {
		uint32_t capacity = classes->block_capacity * 2;
		struct class_block *larger =
			realloc(classes->blocks, (size_t)capacity * sizeof(*larger));

		if (!larger)
			return false;
		classes->blocks = larger;
		classes->block_capacity = capacity;
	}
	struct frequency_class *moved = calloc(BLOCK_MAX, sizeof(*moved));
	if (!moved)
		return false;
	struct class_block *block = &classes->blocks[index];
	uint16_t kept = block->count / 2;
	uint16_t count = (uint16_t)(block->count - kept);
	memcpy(moved, block->classes + kept, count * sizeof(*moved));
	block->count = kept;
	block->known_until_us = block->known_from_us; /* the first may have moved */
	memmove(block + 2, block + 1,
		(classes->block_count - index - 1) * sizeof(*classes->blocks));
	block[1] = (struct class_block){
		.classes = moved,
		.least = moved->frequency,
		.count = count,
		.capacity = BLOCK_MAX,
	};
	classes->block_count++;
	return true;
}

/* Makes room for one more class in a block. */
static bool make_room(struct classes *classes, struct class_block *block)
{
	if (block->count < block->capacity)
		return true;
	drop_empty(classes, block);
	/* Well under the capacity, or the next call would come too soon. */
	if (block->count <= block->capacity / 4 * 3)
		return true;

	uint32_t index = (uint32_t)(block - classes->blocks);
	bool is_more = block->capacity < BLOCK_MAX ? grow(block) : split(classes, index);
	block = &classes->blocks[index]; /* they may have moved */
	return is_more || block->count < block->capacity;
}

struct frequency_class *classes_make(struct classes *classes, uint32_t frequency)
{
	struct class_block *block = classes_block(classes, frequency);
	uint32_t index = index_in(block, frequency);

	if (index < block->count && block->classes[index].frequency == frequency)
		return &block->classes[index];
	if (!make_room(classes, block))
		return NULL;
	block = classes_block(classes, frequency);
	index = index_in(block, frequency);
	struct frequency_class *class = &block->classes[index];
	memmove(class + 1, class, (block->count - index) * sizeof(*class));
	*class = (struct frequency_class){.frequency = frequency};
	block->count++;
	return class;
}

bool classes_raise(struct classes *classes, struct frequency_class *class)
{
	const struct class_block *block = classes_block(classes, class->frequency);
	const struct class_block *end = classes->blocks + classes->block_count;
	const struct frequency_class *next = class + 1;
	bool is_free = next < block->classes + block->count
			       ? next->frequency > class->frequency + 1
			       : block + 1 == end || block[1].least > class->frequency + 1;

	if (class->frequency == 1 || !is_free)
		return false;
	class->frequency++;
	return true;
}

void classes_trim(struct classes *classes)
{
	while (classes->block_count > 0) {
		struct class_block *block = &classes->blocks[classes->block_count - 1];
		bool is_first = block == classes->blocks;

		while (block->count > is_first && block->classes[block->count - 1].entry_count == 0)
			block->count--;
		if (block->count > 0)
			return;
		free(block->classes);
		classes->block_count--;
	}
}
