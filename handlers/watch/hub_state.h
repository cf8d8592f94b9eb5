/* A hub from inside: for the files that make it up. */
#ifndef STEADYCACHE_HANDLERS_HUB_STATE_H
#define STEADYCACHE_HANDLERS_HUB_STATE_H

#include <pthread.h>

#include "base/clock.h"
#include "handlers/watch/hub.h"
#include "handlers/watch/ring.h"
#include "store/namespace.h"

#define WATCH_BUCKETS 256

struct watcher;

struct watch_bucket {
	pthread_mutex_t lock; /* of its channels, but for what says otherwise */
	struct watch_channel *first;
	atomic_uint count; /* of channels; read without the lock */
};

struct watch_channel {
	struct watch_channel *next; /* in its bucket */
	struct watch_bucket *bucket;
	char ns[NAMESPACE_MAX_LEN + 1];
	uint64_t epoch; /* tells it from other channels of that name, before and after it */
	struct watch_ring ring;
	unsigned watchers;
	int64_t left_us;                  /* monotonic: when the last of them left */
	bool is_dirty;                    /* it is in the hub's list */
	struct watch_channel *next_dirty; /* guarded by the hub's lock */

	pthread_mutex_t waiting_lock;
	struct watcher *waiting;
	atomic_uint waiting_count; /* grows with the bucket's lock */
	uint64_t looked_at;        /* how far the thread has looked for changes to wake for */
};

struct watch_hub {
	struct watch_bucket buckets[WATCH_BUCKETS];
	atomic_uint wanted; /* channels */
	atomic_uint left;   /* of them, those that nobody watches */
	atomic_uint watchers;
	unsigned max_watchers;
	int64_t beat_us;
	uint64_t random;
	atomic_uint epochs;
	atomic_size_t ring_bytes;
	_Atomic uint64_t events, resets;
	atomic_bool is_stopping;

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake_up;
	struct watch_channel *dirty; /* have changes that somebody may wait for */
	bool must_end, is_poked;
	struct buffer copied; /* the thread's: the changes that it looks at */
};

#endif
