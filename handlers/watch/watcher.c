#include "handlers/watch/watcher.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/watch/channels.h"
#include "handlers/watch/waiting.h"

/* How much a watcher takes at a time. */
#define TAKEN_BYTES 4096

void watcher_write_id(const struct watcher *watcher, uint64_t position,
		      char ret[static WATCH_ID_LEN + 1])
{
	(void)snprintf(ret, WATCH_ID_LEN + 1, "%016" PRIx64 "-%" PRIu64, watcher->channel->epoch,
		       position);
}

#define EPOCH_DIGITS 16

static bool parse_id(const char *id, uint64_t *ret_epoch, uint64_t *ret_position)
{
	if (strspn(id, "0123456789abcdef") != EPOCH_DIGITS || id[EPOCH_DIGITS] != '-')
		return false;
	const char *digits = id + EPOCH_DIGITS + 1;
	size_t len = strspn(digits, "0123456789");
	if (len == 0 || digits[len] != '\0')
		return false;
	*ret_epoch = strtoull(id, NULL, 16);
	*ret_position = strtoull(digits, NULL, 10); /* one that is too large is unknown */
	return true;
}

/* Whether `id` is one of the channel's from which it can go on. */
static bool find_id(const struct watch_channel *channel, const char *id, uint64_t *ret)
{
	uint64_t epoch;

	return parse_id(id, &epoch, ret) && epoch == channel->epoch &&
	       watch_ring_has(&channel->ring, *ret);
}

enum watch_attached watcher_attach(struct watch_hub *hub, struct slice ns, const char *last_id,
				   struct watcher *watcher, bool *ret_resumed)
{
	struct watch_bucket *bucket = watch_channels_bucket(hub, ns);

	if (atomic_load(&hub->is_stopping))
		return WATCH_STOPPED;
	if (atomic_fetch_add(&hub->watchers, 1) >= hub->max_watchers) {
		(void)atomic_fetch_sub(&hub->watchers, 1);
		return WATCH_TOO_MANY;
	}
	(void)pthread_mutex_lock(&bucket->lock);
	struct watch_channel *channel = watch_channels_find(bucket, ns);
	if (!channel)
		channel = watch_channels_create(hub, bucket, ns);
	if (channel) {
		if (channel->watchers++ == 0)
			(void)atomic_fetch_sub(&hub->left, 1);
		watcher->position = channel->ring.head;
		*ret_resumed = last_id && find_id(channel, last_id, &watcher->position);
		if (!*ret_resumed)
			watcher->position = channel->ring.head;
	}
	(void)pthread_mutex_unlock(&bucket->lock);
	if (!channel) {
		(void)atomic_fetch_sub(&hub->watchers, 1);
		return WATCH_NO_MEMORY;
	}
	watcher->hub = hub;
	watcher->channel = channel;
	watcher->at = NULL;
	watcher->is_due = false;
	return WATCH_ATTACHED;
}

void watcher_detach(struct watcher *watcher)
{
	struct watch_channel *channel = watcher->channel;
	struct watch_hub *hub = watcher->hub;
	struct watch_bucket *bucket = channel->bucket;

	(void)pthread_mutex_lock(&channel->waiting_lock);
	if (watcher->at)
		waiting_remove(watcher);
	(void)pthread_mutex_unlock(&channel->waiting_lock);
	(void)pthread_mutex_lock(&bucket->lock);
	if (--channel->watchers == 0) {
		channel->left_us = monotonic_now_us();
		(void)atomic_fetch_add(&hub->left, 1);
	}
	(void)pthread_mutex_unlock(&bucket->lock);
	(void)atomic_fetch_sub(&hub->watchers, 1);
}

/* True, and *ret: something is there. With the bucket's lock. */
static bool take(struct watcher *watcher, struct buffer *ret_records, enum watch_outcome *ret)
{
	const struct watch_ring *ring = &watcher->channel->ring;

	if (watcher->position < ring->tail) {
		watcher->position = ring->head;
		*ret = WATCH_MISSED;
		return true;
	}
	if (watcher->position == ring->head)
		return false;
	watcher->position = watch_ring_copy(ring, watcher->position, TAKEN_BYTES, ret_records);
	*ret = ret_records->failed ? WATCH_FAILED : WATCH_RECORDS;
	return true;
}

/* The same, or else begins to wait: nothing may come in between. */
static enum watch_outcome take_or_wait(struct watcher *watcher, struct buffer *ret_records)
{
	struct watch_channel *channel = watcher->channel;
	enum watch_outcome outcome = WATCH_WAIT;

	(void)pthread_mutex_lock(&channel->waiting_lock);
	(void)pthread_mutex_lock(&channel->bucket->lock);
	if (atomic_load(&watcher->hub->is_stopping)) {
		outcome = WATCH_END;
	} else if (!take(watcher, ret_records, &outcome)) {
		if (watcher->is_due)
			outcome = WATCH_BEAT;
		else
			waiting_link(&channel->waiting, watcher);
		watcher->is_due = false;
	}
	if (outcome == WATCH_WAIT && atomic_fetch_add(&channel->waiting_count, 1) == 0)
		channel->looked_at = channel->ring.head;
	(void)pthread_mutex_unlock(&channel->bucket->lock);
	(void)pthread_mutex_unlock(&channel->waiting_lock);
	return outcome;
}

enum watch_outcome watcher_next(struct watcher *watcher, struct buffer *ret)
{
	pthread_mutex_t *lock = &watcher->channel->bucket->lock;
	enum watch_outcome outcome = WATCH_END;

	if (atomic_load(&watcher->hub->is_stopping))
		return outcome;
	(void)pthread_mutex_lock(lock);
	bool is_taken = take(watcher, ret, &outcome);
	(void)pthread_mutex_unlock(lock);
	return is_taken ? outcome : take_or_wait(watcher, ret);
}
