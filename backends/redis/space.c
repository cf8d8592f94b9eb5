#include "backends/redis/space.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Beyond so many they are looked through for idle ones at each new one. */
#define MANY 8192

static void free_space(struct redis_spaces *spaces, struct redis_space *space)
{
	for (unsigned i = 0; i < space->part_count; i++) {
		if (space->parts[i])
			redis_due_remove(&spaces->due, space->parts[i]);
		redis_part_free(space->parts[i]);
	}
	free(space);
}

void redis_space_deinit_all(struct redis_spaces *spaces)
{
	for (size_t i = 0; i < REDIS_SPACES_BUCKETS; i++) {
		while (spaces->buckets[i]) {
			struct redis_space *next = spaces->buckets[i]->in_bucket;

			free_space(spaces, spaces->buckets[i]);
			spaces->buckets[i] = next;
		}
	}
	spaces->count = 0;
	redis_due_deinit(&spaces->due);
}

static size_t bucket_of(struct slice name)
{
	return XXH3_64bits(name.data, name.len) % REDIS_SPACES_BUCKETS;
}

struct redis_space *redis_space_find(struct redis_spaces *spaces, struct slice name)
{
	struct redis_space **bucket = &spaces->buckets[bucket_of(name)];
	struct redis_space *space = *bucket;

	while (space && !slice_equal(slice_of(space->name), name))
		space = space->in_bucket;
	if (space)
		return space;
	if (spaces->count >= MANY)
		redis_space_drop_idle(spaces, INT64_MAX);
	space = calloc(1, sizeof(*space) + spaces->part_count * sizeof(struct redis_part *));
	if (!space)
		return NULL;
	space->part_count = spaces->part_count;
	memcpy(space->name, name.data, name.len < NAMESPACE_MAX_LEN ? name.len : NAMESPACE_MAX_LEN);
	space->in_bucket = *bucket;
	*bucket = space;
	spaces->count++;
	return space;
}

struct redis_part *redis_space_make_part(struct redis_spaces *spaces, struct redis_space *space,
					 unsigned index)
{
	space->parts[index] =
		redis_part_create(space, spaces->prefix, index, spaces->is_cluster, &spaces->clock);
	return space->parts[index];
}

/* The first of `space` and of those behind it in its bucket, from partition `index` on. */
static struct redis_part *find_part(const struct redis_space *space, unsigned index)
{
	for (; space; space = space->in_bucket, index = 0)
		for (; index < space->part_count; index++)
			if (space->parts[index])
				return space->parts[index];
	return NULL;
}

struct redis_part *redis_space_next_part(const struct redis_spaces *spaces,
					 const struct redis_part *part)
{
	size_t bucket = 0;
	struct redis_part *next = NULL;

	if (part) {
		next = find_part(part->space, part->index + 1);
		bucket = bucket_of(slice_of(part->space->name)) + 1;
	}
	for (; !next && bucket < REDIS_SPACES_BUCKETS; bucket++)
		next = find_part(spaces->buckets[bucket], 0);
	return next;
}

static bool is_idle(const struct redis_space *space, int64_t before_us)
{
	if (space->users > 0)
		return false;
	for (unsigned i = 0; i < space->part_count; i++) {
		const struct redis_part *part = space->parts[i];

		if (part && (part->op || part->expiry_us != 0 || part->has_work ||
			     part->touched_us >= before_us || !redis_uses_are_none(&part->uses)))
			return false;
	}
	return true;
}

void redis_space_drop_idle(struct redis_spaces *spaces, int64_t before_us)
{
	for (size_t i = 0; i < REDIS_SPACES_BUCKETS; i++) {
		struct redis_space **at = &spaces->buckets[i];

		while (*at) {
			struct redis_space *space = *at;

			if (!is_idle(space, before_us)) {
				at = &space->in_bucket;
				continue;
			}
			*at = space->in_bucket;
			free_space(spaces, space);
			spaces->count--;
		}
	}
}
