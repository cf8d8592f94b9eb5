#include "handlers/watch/waiting.h"

#include <unistd.h>

#include "base/thread.h"
#include "handlers/watch/channels.h"

/* The pause after the hub's thread has woken some: what happens meanwhile goes to them at once. */
#define PAUSE_US (US_PER_S / 200)
/* How many it wakes while it holds a lock. */
#define WOKEN_AT_ONCE 64

static void unlink_watcher(struct watcher *watcher)
{
	*watcher->at = watcher->next;
	if (watcher->next)
		watcher->next->at = watcher->at;
	watcher->at = NULL;
}

void waiting_link(struct watcher **list, struct watcher *watcher)
{
	watcher->next = *list;
	if (watcher->next)
		watcher->next->at = &watcher->next;
	watcher->at = list;
	*list = watcher;
}

void waiting_remove(struct watcher *watcher)
{
	unlink_watcher(watcher);
	(void)atomic_fetch_sub(&watcher->channel->waiting_count, 1);
}

/* ---- Waking ---- */

/* What the thread knows of a channel while it goes through those that wait. */
struct round {
	struct slice records; /* from `from` up to `until` */
	uint64_t from, until;
	bool wakes_all, is_beat;
};

static bool is_woken(const struct round *round, const struct watcher *watcher)
{
	struct slice left = round->records;
	uint64_t position = round->from;
	struct watch_record record;

	if (round->wakes_all || round->is_beat || watcher->position < round->from)
		return true;
	while (watch_record_take(&left, &record)) {
		if (position >= watcher->position &&
		    watch_record_concerns(&record, watcher->prefix))
			return true;
		position += record.len;
	}
	return false;
}

/* Copies what came since the last round. With the channel's waiting_lock. */
static void look_at(struct watch_hub *hub, struct watch_channel *channel, struct round *round)
{
	const struct watch_ring *ring = &channel->ring;

	hub->copied.len = 0;
	hub->copied.failed = false;
	(void)pthread_mutex_lock(&channel->bucket->lock);
	if (!round->is_beat) /* it was taken from the list */
		channel->is_dirty = false;
	round->from = channel->looked_at;
	if (round->from < ring->tail)
		round->wakes_all = true;
	else if (!round->wakes_all && !round->is_beat)
		(void)watch_ring_copy(ring, round->from, WATCH_RING_MAX_BYTES, &hub->copied);
	round->wakes_all |= hub->copied.failed;
	round->until = ring->head;
	channel->looked_at = ring->head;
	(void)pthread_mutex_unlock(&channel->bucket->lock);
	round->records = buffer_bytes(&hub->copied);
}

/* Wakes those that wait and are concerned. */
static void run_round(struct watch_hub *hub, struct watch_channel *channel, struct round round)
{
	struct watcher *left = NULL;

	(void)pthread_mutex_lock(&channel->waiting_lock);
	look_at(hub, channel, &round);
	left = channel->waiting;
	channel->waiting = NULL;
	if (left)
		left->at = &left;
	while (left) {
		for (int i = 0; i < WOKEN_AT_ONCE && left; i++) {
			struct watcher *watcher = left;

			if (is_woken(&round, watcher)) {
				watcher->is_due = round.is_beat;
				waiting_remove(watcher);
				watcher->wake(watcher->user);
			} else {
				unlink_watcher(watcher);
				watcher->position = round.until;
				waiting_link(&channel->waiting, watcher);
			}
		}
		/* Event loops may want it. */
		(void)pthread_mutex_unlock(&channel->waiting_lock);
		(void)pthread_mutex_lock(&channel->waiting_lock);
	}
	(void)pthread_mutex_unlock(&channel->waiting_lock);
}

static struct watch_channel *take_dirty(struct watch_hub *hub)
{
	(void)pthread_mutex_lock(&hub->lock);
	struct watch_channel *channel = hub->dirty;
	if (channel)
		hub->dirty = channel->next_dirty;
	(void)pthread_mutex_unlock(&hub->lock);
	return channel;
}

static void wake_changed(struct watch_hub *hub)
{
	struct watch_channel *channel;

	while ((channel = take_dirty(hub)))
		run_round(hub, channel, (struct round){0});
}

/* Wakes all of all channels: only the thread frees one. */
static void wake_all(struct watch_hub *hub)
{
	for (size_t i = 0; i < WATCH_BUCKETS; i++) {
		struct watch_bucket *bucket = &hub->buckets[i];

		(void)pthread_mutex_lock(&bucket->lock);
		struct watch_channel *channel = bucket->first;
		while (channel) {
			(void)pthread_mutex_unlock(&bucket->lock);
			run_round(hub, channel, (struct round){.is_beat = true});
			(void)pthread_mutex_lock(&bucket->lock);
			channel = channel->next;
		}
		(void)pthread_mutex_unlock(&bucket->lock);
	}
}

/* Sleeps until there is something to do. False: the end. */
static bool sleep_until(struct watch_hub *hub, int64_t until_us)
{
	(void)pthread_mutex_lock(&hub->lock);
	while (!hub->must_end && !hub->is_poked && !hub->dirty &&
	       thread_wait_until(&hub->wake_up, &hub->lock, until_us))
		;
	bool goes_on = !hub->must_end;
	(void)pthread_mutex_unlock(&hub->lock);
	return goes_on;
}

static bool take_poke(struct watch_hub *hub)
{
	(void)pthread_mutex_lock(&hub->lock);
	bool is_poked = hub->is_poked;
	hub->is_poked = false;
	(void)pthread_mutex_unlock(&hub->lock);
	return is_poked;
}

void *waiting_main(void *user)
{
	struct watch_hub *hub = user;
	int64_t beat_us = monotonic_now_us() + hub->beat_us;

	while (sleep_until(hub, beat_us)) {
		int64_t now_us = monotonic_now_us();

		wake_changed(hub);
		if (take_poke(hub) || now_us >= beat_us) {
			wake_all(hub);
			beat_us = now_us + hub->beat_us;
		}
		watch_channels_tidy(hub, now_us);
		(void)usleep(PAUSE_US);
	}
	return NULL;
}
