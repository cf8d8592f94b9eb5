#include "handlers/watch/channels.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/invariant.h"

/* How long, and of how many, the changes are kept of a namespace that nobody watches any more, so
 * that who reconnects goes on. */
#define KEPT_US  (60 * US_PER_S)
#define KEPT_MAX 32

struct watch_bucket *watch_channels_bucket(struct watch_hub *hub, struct slice ns)
{
	return &hub->buckets[XXH3_64bits(ns.data, ns.len) % WATCH_BUCKETS];
}

struct watch_channel *watch_channels_find(const struct watch_bucket *bucket, struct slice ns)
{
	struct watch_channel *channel = bucket->first;

	while (channel && !slice_equal(slice_of(channel->ns), ns))
		channel = channel->next;
	return channel;
}

struct watch_channel *watch_channels_create(struct watch_hub *hub, struct watch_bucket *bucket,
					    struct slice ns)
{
	struct watch_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	memcpy(channel->ns, ns.data, ns.len);
	channel->bucket = bucket;
	channel->epoch = hub->random + atomic_fetch_add(&hub->epochs, 1);
	(void)pthread_mutex_init(&channel->waiting_lock, NULL);
	channel->next = bucket->first;
	bucket->first = channel;
	(void)atomic_fetch_add(&bucket->count, 1);
	(void)atomic_fetch_add(&hub->wanted, 1);
	(void)atomic_fetch_add(&hub->left, 1);
	return channel;
}

static void free_channel(struct watch_hub *hub, struct watch_channel *channel)
{
	INVARIANT(channel->watchers == 0 && !channel->waiting);
	watch_ring_deinit(&channel->ring, &hub->ring_bytes);
	(void)pthread_mutex_destroy(&channel->waiting_lock);
	(void)atomic_fetch_sub(&channel->bucket->count, 1);
	(void)atomic_fetch_sub(&hub->wanted, 1);
	(void)atomic_fetch_sub(&hub->left, 1);
	free(channel);
}

void watch_channels_tidy(struct watch_hub *hub, int64_t now_us)
{
	for (size_t i = 0; i < WATCH_BUCKETS && atomic_load(&hub->left) > 0; i++) {
		struct watch_bucket *bucket = &hub->buckets[i];

		(void)pthread_mutex_lock(&bucket->lock);
		for (struct watch_channel **at = &bucket->first; *at;) {
			struct watch_channel *channel = *at;
			bool is_old = now_us - channel->left_us >= KEPT_US ||
				      atomic_load(&hub->left) > KEPT_MAX;

			if (channel->watchers == 0 && !channel->is_dirty && is_old) {
				*at = channel->next;
				free_channel(hub, channel);
			} else {
				at = &channel->next;
			}
		}
		(void)pthread_mutex_unlock(&bucket->lock);
	}
}

void watch_channels_deinit(struct watch_hub *hub)
{
	for (size_t i = 0; i < WATCH_BUCKETS; i++) {
		struct watch_bucket *bucket = &hub->buckets[i];

		while (bucket->first) {
			struct watch_channel *channel = bucket->first;

			bucket->first = channel->next;
			free_channel(hub, channel);
		}
	}
}
