#include "handlers/watch/hub.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/thread.h"
#include "handlers/watch/channels.h"
#include "handlers/watch/waiting.h"

/* ---- Telling ---- */

/* Has the thread look at the channel. With the bucket's lock. */
static void make_dirty(struct watch_hub *hub, struct watch_channel *channel)
{
	if (channel->is_dirty || atomic_load(&channel->waiting_count) == 0)
		return;
	channel->is_dirty = true;
	(void)pthread_mutex_lock(&hub->lock);
	channel->next_dirty = hub->dirty;
	hub->dirty = channel;
	(void)pthread_cond_signal(&hub->wake_up);
	(void)pthread_mutex_unlock(&hub->lock);
}

/* Nobody knows what happened to any namespace. */
static void tell_gap(struct watch_hub *hub)
{
	for (size_t i = 0; i < WATCH_BUCKETS; i++) {
		struct watch_bucket *bucket = &hub->buckets[i];

		(void)pthread_mutex_lock(&bucket->lock);
		for (struct watch_channel *each = bucket->first; each; each = each->next) {
			watch_ring_gap(&each->ring);
			make_dirty(hub, each);
		}
		(void)pthread_mutex_unlock(&bucket->lock);
	}
}

void watch_hub_tell(void *user, const struct cache_change *change)
{
	struct watch_hub *hub = user;

	if (atomic_load_explicit(&hub->wanted, memory_order_relaxed) == 0)
		return;
	if (change->ns.len == 0) {
		tell_gap(hub);
		return;
	}
	struct watch_bucket *bucket = watch_channels_bucket(hub, change->ns);
	if (atomic_load_explicit(&bucket->count, memory_order_relaxed) == 0)
		return;
	(void)pthread_mutex_lock(&bucket->lock);
	struct watch_channel *channel = watch_channels_find(bucket, change->ns);
	if (channel) {
		if (change->kind == CHANGE_MISSED)
			watch_ring_gap(&channel->ring);
		else
			watch_ring_append(&channel->ring, change->kind, change->key,
					  &hub->ring_bytes);
		make_dirty(hub, channel);
	}
	(void)pthread_mutex_unlock(&bucket->lock);
}

const atomic_uint *watch_hub_wanted(const struct watch_hub *hub)
{
	return &hub->wanted;
}

/* ---- Life ---- */

struct watch_hub *watch_hub_create(void)
{
	struct watch_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return NULL;
	/* Without it an id of before a restart might be taken for one of after it. */
	if (getrandom(&hub->random, sizeof(hub->random), GRND_NONBLOCK) < 0)
		hub->random = (uint64_t)cache_clock_now_us(&system_clock);
	for (size_t i = 0; i < WATCH_BUCKETS; i++)
		(void)pthread_mutex_init(&hub->buckets[i].lock, NULL);
	(void)pthread_mutex_init(&hub->lock, NULL);
	thread_condition_init(&hub->wake_up);
	return hub;
}

bool watch_hub_start(struct watch_hub *hub, unsigned max_watchers, int64_t beat_us)
{
	hub->max_watchers = max_watchers;
	hub->beat_us = beat_us;
	return thread_start(&hub->thread, "watch-hub", waiting_main, hub) == 0;
}

static void poke(struct watch_hub *hub, bool ends)
{
	(void)pthread_mutex_lock(&hub->lock);
	hub->is_poked = true;
	hub->must_end |= ends;
	(void)pthread_cond_signal(&hub->wake_up);
	(void)pthread_mutex_unlock(&hub->lock);
}

void watch_hub_stop(struct watch_hub *hub)
{
	atomic_store(&hub->is_stopping, true);
	poke(hub, false);
}

void watch_hub_end(struct watch_hub *hub)
{
	poke(hub, true);
	(void)pthread_join(hub->thread, NULL);
}

void watch_hub_destroy(struct watch_hub *hub)
{
	if (!hub)
		return;
	watch_channels_deinit(hub);
	for (size_t i = 0; i < WATCH_BUCKETS; i++)
		(void)pthread_mutex_destroy(&hub->buckets[i].lock);
	buffer_deinit(&hub->copied);
	(void)pthread_cond_destroy(&hub->wake_up);
	(void)pthread_mutex_destroy(&hub->lock);
	free(hub);
}

/* ---- Figures ---- */

void watch_hub_count(struct watch_hub *hub, uint64_t events, uint64_t resets)
{
	(void)atomic_fetch_add_explicit(&hub->events, events, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&hub->resets, resets, memory_order_relaxed);
}

void watch_hub_read(const struct watch_hub *hub, struct watch_figures *ret)
{
	ret->watchers = atomic_load(&hub->watchers);
	ret->events = atomic_load_explicit(&hub->events, memory_order_relaxed);
	ret->resets = atomic_load_explicit(&hub->resets, memory_order_relaxed);
}
