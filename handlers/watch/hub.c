#include "handlers/watch/hub.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/invariant.h"
#include "base/thread.h"
#include "handlers/watch/ring.h"
#include "store/namespace.h"

#define BUCKETS 256
/* How long, and of how many, the changes are kept of a namespace that nobody watches any more, so
 * that who reconnects goes on. */
#define KEPT_US  (60 * US_PER_S)
#define KEPT_MAX 32
/* The pause after the hub's thread has woken some: what happens meanwhile goes to them at once. */
#define PAUSE_US (US_PER_S / 200)
/* How many it wakes while it holds a lock. */
#define WOKEN_AT_ONCE 64
/* How much a watcher takes at a time. */
#define TAKEN_BYTES 4096

struct bucket {
	pthread_mutex_t lock; /* of its channels, but for what says otherwise */
	struct watch_channel *first;
	atomic_uint count; /* of channels; read without the lock */
};

struct watch_channel {
	struct watch_channel *next; /* in its bucket */
	struct bucket *bucket;
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
	struct bucket buckets[BUCKETS];
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

static struct bucket *bucket_of(struct watch_hub *hub, struct slice ns)
{
	return &hub->buckets[XXH3_64bits(ns.data, ns.len) % BUCKETS];
}

/* With the bucket's lock. */
static struct watch_channel *find_channel(const struct bucket *bucket, struct slice ns)
{
	struct watch_channel *channel = bucket->first;

	while (channel && !slice_equal(slice_of(channel->ns), ns))
		channel = channel->next;
	return channel;
}

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
	for (size_t i = 0; i < BUCKETS; i++) {
		struct bucket *bucket = &hub->buckets[i];

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
	struct bucket *bucket = bucket_of(hub, change->ns);
	if (atomic_load_explicit(&bucket->count, memory_order_relaxed) == 0)
		return;
	(void)pthread_mutex_lock(&bucket->lock);
	struct watch_channel *channel = find_channel(bucket, change->ns);
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

/* ---- Channels ---- */

static struct watch_channel *create_channel(struct watch_hub *hub, struct bucket *bucket,
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

/* Frees the channels that nobody needs any more. The thread's, so that it holds none of them. */
static void tidy(struct watch_hub *hub, int64_t now_us)
{
	for (size_t i = 0; i < BUCKETS && atomic_load(&hub->left) > 0; i++) {
		struct bucket *bucket = &hub->buckets[i];

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

/* ---- Watching ---- */

void watch_hub_write_id(const struct watcher *watcher, uint64_t position,
			char ret[static WATCH_ID_LEN + 1])
{
	(void)snprintf(ret, WATCH_ID_LEN + 1, "%016" PRIx64 "-%" PRIu64, watcher->channel->epoch,
		       position);
}

/* Whether `id` is one of the channel's from which it can go on. */
static bool find_id(const struct watch_channel *channel, const char *id, uint64_t *ret)
{
	uint64_t epoch;
	int len = 0;

	return sscanf(id, "%16" SCNx64 "-%" SCNu64 "%n", &epoch, ret, &len) == 2 &&
	       id[len] == '\0' && epoch == channel->epoch && watch_ring_has(&channel->ring, *ret);
}

enum watch_attached watch_hub_attach(struct watch_hub *hub, struct slice ns, const char *last_id,
				     struct watcher *watcher, bool *ret_resumed)
{
	struct bucket *bucket = bucket_of(hub, ns);

	if (atomic_load(&hub->is_stopping))
		return WATCH_STOPPED;
	if (atomic_fetch_add(&hub->watchers, 1) >= hub->max_watchers) {
		(void)atomic_fetch_sub(&hub->watchers, 1);
		return WATCH_TOO_MANY;
	}
	(void)pthread_mutex_lock(&bucket->lock);
	struct watch_channel *channel = find_channel(bucket, ns);
	if (!channel)
		channel = create_channel(hub, bucket, ns);
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

/* Lists of those that wait, with the channel's waiting_lock. */
static void unlink_watcher(struct watcher *watcher)
{
	*watcher->at = watcher->next;
	if (watcher->next)
		watcher->next->at = watcher->at;
	watcher->at = NULL;
}

static void link_watcher(struct watcher **list, struct watcher *watcher)
{
	watcher->next = *list;
	if (watcher->next)
		watcher->next->at = &watcher->next;
	watcher->at = list;
	*list = watcher;
}

static void stop_waiting(struct watcher *watcher)
{
	unlink_watcher(watcher);
	(void)atomic_fetch_sub(&watcher->channel->waiting_count, 1);
}

void watch_hub_detach(struct watcher *watcher)
{
	struct watch_channel *channel = watcher->channel;
	struct watch_hub *hub = watcher->hub;
	struct bucket *bucket = channel->bucket;

	(void)pthread_mutex_lock(&channel->waiting_lock);
	if (watcher->at)
		stop_waiting(watcher);
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
			link_watcher(&channel->waiting, watcher);
		watcher->is_due = false;
	}
	if (outcome == WATCH_WAIT && atomic_fetch_add(&channel->waiting_count, 1) == 0)
		channel->looked_at = channel->ring.head;
	(void)pthread_mutex_unlock(&channel->bucket->lock);
	(void)pthread_mutex_unlock(&channel->waiting_lock);
	return outcome;
}

enum watch_outcome watch_hub_next(struct watcher *watcher, struct buffer *ret)
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

bool watch_hub_concerns(enum cache_change_kind kind, struct slice key, struct slice prefix)
{
	return slice_starts_with(key, prefix) ||
	       (kind == CHANGE_CLEAR && slice_starts_with(prefix, key));
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
		    watch_hub_concerns(record.kind, record.key, watcher->prefix))
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
				stop_waiting(watcher);
				watcher->wake(watcher->user);
			} else {
				unlink_watcher(watcher);
				watcher->position = round.until;
				link_watcher(&channel->waiting, watcher);
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
	for (size_t i = 0; i < BUCKETS; i++) {
		struct bucket *bucket = &hub->buckets[i];

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

static void *hub_main(void *user)
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
		tidy(hub, now_us);
		(void)usleep(PAUSE_US);
	}
	return NULL;
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
	for (size_t i = 0; i < BUCKETS; i++)
		(void)pthread_mutex_init(&hub->buckets[i].lock, NULL);
	(void)pthread_mutex_init(&hub->lock, NULL);
	thread_condition_init(&hub->wake_up);
	return hub;
}

bool watch_hub_start(struct watch_hub *hub, unsigned max_watchers, int64_t beat_us)
{
	hub->max_watchers = max_watchers;
	hub->beat_us = beat_us;
	return thread_start(&hub->thread, "watch-hub", hub_main, hub) == 0;
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
	for (size_t i = 0; i < BUCKETS; i++) {
		struct bucket *bucket = &hub->buckets[i];

		while (bucket->first) {
			struct watch_channel *channel = bucket->first;

			bucket->first = channel->next;
			free_channel(hub, channel);
		}
		(void)pthread_mutex_destroy(&bucket->lock);
	}
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
