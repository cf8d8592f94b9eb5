/* The wrapper around a backend, as the files of this folder share it. */
#ifndef STEADYCACHE_TIERED_TIERED_STATE_H
#define STEADYCACHE_TIERED_TIERED_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/tiered/near.h"
#include "backends/tiered/near_spaces.h"
#include "backends/tiered/tiered.h"

struct tiered {
	struct backend backend; /* first, because callers of the contract get a pointer to it */
	struct backend_ops ops; /* what `inner` supports, through this wrapper */
	struct backend *inner;
	struct near *near;
	struct near_spaces spaces;
	struct tiered_config config;
	const struct cache_clock *clock;
	/* Of whoever opened it; NULL: nobody listens. */
	void (*news)(void *user, const struct cache_news *news);
	void *news_user;
	/* Writes of several items that have begun or ended, and that are in progress. */
	_Atomic uint64_t batch_version;
	atomic_uint batch_writers;
	/* Own ops that are in progress (learn.h). */
	pthread_mutex_t lock;
	pthread_cond_t no_lessons;
	size_t lessons; /* lock */
};

static inline struct tiered *tiered_of(struct backend *backend)
{
	return (struct tiered *)backend;
}

#endif
