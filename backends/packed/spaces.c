#include "backends/packed/spaces.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void spaces_init(struct spaces *spaces)
{
	*spaces = (struct spaces){.lock = PTHREAD_MUTEX_INITIALIZER,
				  .quiet = PTHREAD_COND_INITIALIZER};
}

void spaces_deinit(struct spaces *spaces)
{
	for (size_t i = 0; i < SPACES_BUCKETS; i++) {
		struct space *space = atomic_load(&spaces->buckets[i]);

		while (space) {
			struct space *next = space->next;

			free(space);
			space = next;
		}
	}
	(void)pthread_cond_destroy(&spaces->quiet);
	(void)pthread_mutex_destroy(&spaces->lock);
}

static struct space *_Atomic *bucket_of(struct spaces *spaces, struct slice ns)
{
	return &spaces->buckets[XXH3_64bits(ns.data, ns.len) % SPACES_BUCKETS];
}

struct space *spaces_find(struct spaces *spaces, struct slice ns)
{
	struct space *space = atomic_load_explicit(bucket_of(spaces, ns), memory_order_acquire);

	while (space && !slice_equal(slice_of(space->name), ns))
		space = space->next;
	return space;
}

struct space *spaces_find_or_add(struct spaces *spaces, struct slice ns)
{
	struct space *space = spaces_find(spaces, ns);

	if (space || ns.len > NAMESPACE_MAX_LEN)
		return space;
	(void)pthread_mutex_lock(&spaces->lock);
	space = spaces_find(spaces, ns);
	if (!space && spaces->count < SPACES_MAX && (space = calloc(1, sizeof(*space)))) {
		memcpy(space->name, ns.data, ns.len);
		space->waiting_end = &space->waiting;
		space->next = atomic_load(bucket_of(spaces, ns));
		atomic_store_explicit(bucket_of(spaces, ns), space, memory_order_release);
		spaces->count++;
	}
	(void)pthread_mutex_unlock(&spaces->lock);
	return space;
}

void spaces_forget(struct spaces *spaces, struct slice ns)
{
	struct space *space = spaces_find(spaces, ns);

	if (!space)
		return;
	(void)pthread_mutex_lock(&spaces->lock);
	space->version++;
	atomic_store(&space->state, 0);
	(void)pthread_mutex_unlock(&spaces->lock);
}
