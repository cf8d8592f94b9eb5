#include "backends/tiered/near_spaces.h"

#include <stdlib.h>
#include <xxhash.h>

/* The part of the idle time for which a copy answers: by so much the backend may believe that an
 * entry was used longer ago than it was. */
#define IDLE_PART 8

void near_spaces_init(struct near_spaces *spaces)
{
	*spaces = (struct near_spaces){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void near_spaces_deinit(struct near_spaces *spaces)
{
	for (size_t i = 0; i < NEAR_SPACES_BUCKETS; i++) {
		struct near_space *space = atomic_load(&spaces->buckets[i]);

		while (space) {
			struct near_space *next = space->next;

			free(space);
			space = next;
		}
	}
	(void)pthread_mutex_destroy(&spaces->lock);
}

static struct near_space *_Atomic *bucket_of(struct near_spaces *spaces, struct slice ns)
{
	return &spaces->buckets[XXH3_64bits(ns.data, ns.len) % NEAR_SPACES_BUCKETS];
}

struct near_space *near_spaces_find(struct near_spaces *spaces, struct slice ns)
{
	struct near_space *space =
		atomic_load_explicit(bucket_of(spaces, ns), memory_order_acquire);

	while (space && !slice_equal(slice_of(space->name), ns))
		space = space->next;
	return space;
}

struct near_space *near_spaces_find_or_add(struct near_spaces *spaces, struct slice ns)
{
	struct near_space *space = near_spaces_find(spaces, ns);

	if (space || ns.len > NAMESPACE_MAX_LEN)
		return space;
	(void)pthread_mutex_lock(&spaces->lock);
	space = near_spaces_find(spaces, ns);
	if (!space && spaces->count < NEAR_SPACES_MAX && (space = calloc(1, sizeof(*space)))) {
		memcpy(space->name, ns.data, ns.len);
		space->max_age_us = INT64_MAX;
		space->next = atomic_load(bucket_of(spaces, ns));
		atomic_store_explicit(bucket_of(spaces, ns), space, memory_order_release);
		spaces->count++;
	}
	(void)pthread_mutex_unlock(&spaces->lock);
	return space;
}

void near_space_set_max_idle(struct near_space *space, int64_t max_idle_s)
{
	atomic_store_explicit(&space->max_age_us,
			      max_idle_s > 0 ? max_idle_s * US_PER_S / IDLE_PART : INT64_MAX,
			      memory_order_relaxed);
}

void near_space_ask_again(struct near_space *space)
{
	atomic_store(&space->asked_us, 0);
}

void near_space_forget(struct near_space *space)
{
	atomic_store_explicit(&space->hits, 0, memory_order_relaxed);
	near_space_set_max_idle(space, 0);
}
