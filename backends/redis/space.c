#include "backends/redis/space.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "backends/redis/command.h"

/* Beyond so many they are looked through for idle ones at each new one. */
#define MANY 8192

static void free_space(struct redis_space *space)
{
	redis_uses_deinit(&space->uses);
	buffer_deinit(&space->keys);
	free(space);
}

void redis_space_deinit_all(struct redis_spaces *spaces)
{
	for (size_t i = 0; i < REDIS_SPACES_BUCKETS; i++) {
		while (spaces->buckets[i]) {
			struct redis_space *next = spaces->buckets[i]->in_bucket;

			free_space(spaces->buckets[i]);
			spaces->buckets[i] = next;
		}
	}
	spaces->count = 0;
}

static size_t bucket_of(struct slice name)
{
	return XXH3_64bits(name.data, name.len) % REDIS_SPACES_BUCKETS;
}

/* Writes the keys in the order in which every call of the script wants them. */
static bool write_keys(struct redis_space *space, const char *prefix)
{
	static const char letters[REDIS_KEYS + 1] = "mvhnfgxliwt";
	size_t ends[REDIS_KEYS];
	struct buffer key = {0};

	for (size_t i = 0; i < REDIS_KEYS; i++) {
		key.len = 0;
		buffer_printf(&key, "%s:{%s:0}:%c", prefix, space->name, letters[i]);
		redis_command_encode(&space->keys, buffer_bytes(&key));
		ends[i] = space->keys.len;
	}
	bool is_whole = !key.failed && !space->keys.failed;
	buffer_deinit(&key);
	if (!is_whole)
		return false;
	space->key_values = (struct slice){.data = space->keys.data + ends[KEY_VALUES - 1],
					   .len = ends[KEY_VALUES] - ends[KEY_VALUES - 1]};
	space->key_heads = (struct slice){.data = space->keys.data + ends[KEY_HEADS - 1],
					  .len = ends[KEY_HEADS] - ends[KEY_HEADS - 1]};
	return true;
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
	space = calloc(1, sizeof(*space));
	if (!space)
		return NULL;
	memcpy(space->name, name.data, name.len < NAMESPACE_MAX_LEN ? name.len : NAMESPACE_MAX_LEN);
	if (!write_keys(space, spaces->prefix)) {
		free_space(space);
		return NULL;
	}
	space->in_bucket = *bucket;
	*bucket = space;
	spaces->count++;
	return space;
}

struct redis_space *redis_space_next(const struct redis_spaces *spaces,
				     const struct redis_space *space)
{
	size_t bucket = 0;

	if (space && space->in_bucket)
		return space->in_bucket;
	if (space)
		bucket = bucket_of(slice_of(space->name)) + 1;
	while (bucket < REDIS_SPACES_BUCKETS && !spaces->buckets[bucket])
		bucket++;
	return bucket < REDIS_SPACES_BUCKETS ? spaces->buckets[bucket] : NULL;
}

static bool is_idle(const struct redis_space *space, int64_t before_us)
{
	return space->users == 0 && !space->is_running && space->expiry_us == 0 &&
	       !space->has_work && space->touched_us < before_us &&
	       redis_uses_are_none(&space->uses);
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
			free_space(space);
			spaces->count--;
		}
	}
}
