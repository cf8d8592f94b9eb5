#include "backends/dynamodb/space.h"

#include <stdlib.h>
#include <xxhash.h>

#include "store/rules.h"

static size_t bucket_of(struct slice name)
{
	return XXH3_64bits(name.data, name.len) % DYNAMODB_SPACE_BUCKETS;
}

void dynamodb_spaces_deinit(struct dynamodb_spaces *spaces)
{
	for (size_t i = 0; i < DYNAMODB_SPACE_BUCKETS; i++) {
		struct dynamodb_space *next;

		for (struct dynamodb_space *space = spaces->buckets[i]; space; space = next) {
			next = space->next;
			free(space);
		}
	}
	*spaces = (struct dynamodb_spaces){0};
}

struct dynamodb_space *dynamodb_space_find(const struct dynamodb_spaces *spaces, struct slice name)
{
	struct dynamodb_space *space = spaces->buckets[bucket_of(name)];

	while (space && !slice_equal(slice_of(space->name), name))
		space = space->next;
	return space;
}

struct dynamodb_space *dynamodb_space_add(struct dynamodb_spaces *spaces,
					  const struct backend_config *config, struct slice name)
{
	struct dynamodb_space *space = calloc(1, sizeof(*space));
	size_t bucket = bucket_of(name);

	if (!space)
		return NULL;
	memcpy(space->name, name.data, name.len);
	dynamodb_space_defaults(config, name, &space->settings);
	space->next_end_us = INT64_MAX;
	space->next = spaces->buckets[bucket];
	spaces->buckets[bucket] = space;
	return space;
}

struct dynamodb_space *dynamodb_space_next(const struct dynamodb_spaces *spaces,
					   const struct dynamodb_space *space)
{
	size_t bucket = 0;

	if (space && space->next)
		return space->next;
	if (space)
		bucket = bucket_of(slice_of(space->name)) + 1;
	while (bucket < DYNAMODB_SPACE_BUCKETS && !spaces->buckets[bucket])
		bucket++;
	return bucket < DYNAMODB_SPACE_BUCKETS ? spaces->buckets[bucket] : NULL;
}

void dynamodb_space_register(struct dynamodb_spaces *spaces, struct dynamodb_space *space)
{
	spaces->count += !space->is_registered;
	space->is_registered = true;
}

void dynamodb_space_unregister(struct dynamodb_spaces *spaces, const struct backend_config *config,
			       struct dynamodb_space *space)
{
	spaces->count -= space->is_registered;
	space->is_registered = false;
	space->next_end_us = INT64_MAX;
	dynamodb_space_defaults(config, slice_of(space->name), &space->settings);
}

void dynamodb_space_defaults(const struct backend_config *config, struct slice name,
			     struct namespace_settings *ret)
{
	rules_default_settings(config, DYNAMODB_DEFAULT_POLICY, name, ret);
	ret->max_size_bytes = 0;
	ret->capacity = CAPACITY_UNLIMITED;
}

void dynamodb_space_ends(struct dynamodb_space *space, int64_t expires_at_us)
{
	if (expires_at_us > 0)
		space->next_end_us = earlier_us(
			space->next_end_us, expires_at_us + space->settings.stale_ttl_s * US_PER_S);
}
