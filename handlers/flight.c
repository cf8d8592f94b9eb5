#include "handlers/flight.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#define FLIGHT_STRIPES 1024
#define BUCKETS        16384

struct waiter_list {
	struct flight_waiter *first, *last;
};

/* A key with a lease on it. */
struct flight {
	struct flight_key key;
	struct flight *bucket_next;
	struct flight_timer timer; /* the lapse */
	uint32_t fingerprint;
	char token[LEASE_TOKEN_LEN + 1];
	struct flight_owner *owner; /* that the lease is bound to, or NULL */
	struct flight *owner_next, *owner_previous;
	struct waiter_list heirs;    /* those who want the lease, in order of arrival */
	struct waiter_list watchers; /* those who do not */
};

struct heap_slot {
	struct flight_timer *timer;
	bool is_lease;
};

struct flights {
	const struct cache_clock *clock;
	void (*earlier)(void *user);
	void *user;
	uint64_t seed;
	/* Visits and leases: while there is none, a set has nothing to do here. */
	atomic_size_t interest;
	atomic_uint_fast64_t stripes[FLIGHT_STRIPES];

	pthread_mutex_t lock; /* guards what follows, and all owners and parked waiters */
	bool stopped;
	size_t lease_count;
	struct heap_slot *heap; /* from 1 */
	size_t heap_count, heap_size;
	struct flight *buckets[BUCKETS];
};

/* ---- Timers: a binary heap, the earliest first ---- */

static void put_slot(struct flights *flights, size_t place, struct heap_slot slot)
{
	flights->heap[place] = slot;
	slot.timer->place = place;
}

static void sift(struct flights *flights, size_t place, struct heap_slot slot)
{
	struct heap_slot *heap = flights->heap;

	for (; place > 1 && heap[place / 2].timer->at_us > slot.timer->at_us; place /= 2)
		put_slot(flights, place, heap[place / 2]);
	for (size_t child; (child = place * 2) <= flights->heap_count; place = child) {
		if (child < flights->heap_count &&
		    heap[child + 1].timer->at_us < heap[child].timer->at_us)
			child++;
		if (heap[child].timer->at_us >= slot.timer->at_us)
			break;
		put_slot(flights, place, heap[child]);
	}
	put_slot(flights, place, slot);
}

static bool reserve_timer(struct flights *flights)
{
	if (flights->heap_count + 1 < flights->heap_size)
		return true;
	size_t size = flights->heap_size ? flights->heap_size * 2 : 64;
	struct heap_slot *heap = realloc(flights->heap, size * sizeof(*heap));
	if (!heap)
		return false;
	flights->heap = heap;
	flights->heap_size = size;
	return true;
}

/* There is room (reserve_timer). */
static void start_timer(struct flights *flights, struct flight_timer *timer, int64_t at_us,
			bool is_lease)
{
	timer->at_us = at_us;
	flights->heap_count++;
	sift(flights, flights->heap_count, (struct heap_slot){.timer = timer, .is_lease = is_lease});
	if (timer->place == 1 && flights->earlier)
		flights->earlier(flights->user);
}

static void stop_timer(struct flights *flights, struct flight_timer *timer)
{
	size_t place = timer->place;

	if (place == 0)
		return;
	timer->place = 0;
	struct heap_slot last = flights->heap[flights->heap_count--];
	if (last.timer != timer)
		sift(flights, place, last);
}

/* ---- Lists ---- */

static void append_waiter(struct waiter_list *list, struct flight_waiter *waiter)
{
	waiter->next = NULL;
	waiter->previous = list->last;
	if (list->last)
		list->last->next = waiter;
	else
		list->first = waiter;
	list->last = waiter;
}

static void unlink_waiter(struct waiter_list *list, struct flight_waiter *waiter)
{
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	else
		list->last = waiter->previous;
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		list->first = waiter->next;
}

/* Takes a parked waiter out of everything, for `woken`. */
static void end_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
		       struct waiter_list *woken)
{
	struct flight *flight = waiter->flight;

	unlink_waiter(waiter->lease_us > 0 ? &flight->heirs : &flight->watchers, waiter);
	stop_timer(flights, &waiter->timer);
	if (waiter->owner)
		waiter->owner->waiting = NULL;
	waiter->flight = NULL;
	waiter->end = end;
	append_waiter(woken, waiter);
}

/* To be called without the lock. */
static void wake_all(struct waiter_list *woken)
{
	for (struct flight_waiter *next, *at = woken->first; at; at = next) {
		next = at->next;
		at->wake(at);
	}
}

/* ---- Leases ---- */

static struct flight **find_place(struct flights *flights, struct flight_key key)
{
	struct flight **place = &flights->buckets[key.low % BUCKETS];

	while (*place && ((*place)->key.low != key.low || (*place)->key.high != key.high))
		place = &(*place)->bucket_next;
	return place;
}

static void make_token(char token[static LEASE_TOKEN_LEN + 1], uint32_t fingerprint)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		abort(); /* the kernel promises as much at once */
	(void)snprintf(token, LEASE_TOKEN_LEN + 1, "%016llx%016llx%08x",
		       (unsigned long long)random[0], (unsigned long long)random[1], fingerprint);
}

/* Gives the lease to `waiter`, whose timer slot is there (reserve_timer). */
static void grant(struct flights *flights, struct flight *flight, struct flight_waiter *waiter)
{
	make_token(flight->token, waiter->fingerprint);
	memcpy(waiter->token, flight->token, sizeof(flight->token));
	start_timer(flights, &flight->timer,
		    cache_clock_now_us(flights->clock) + waiter->lease_us, true);
	if (!waiter->bind || !waiter->owner)
		return;
	flight->owner = waiter->owner;
	flight->owner_previous = NULL;
	flight->owner_next = flight->owner->leases;
	if (flight->owner_next)
		flight->owner_next->owner_previous = flight;
	flight->owner->leases = flight;
}

static void take_lease(struct flights *flights, struct flight *flight)
{
	stop_timer(flights, &flight->timer);
	if (!flight->owner)
		return;
	if (flight->owner_next)
		flight->owner_next->owner_previous = flight->owner_previous;
	if (flight->owner_previous)
		flight->owner_previous->owner_next = flight->owner_next;
	else
		flight->owner->leases = flight->owner_next;
	flight->owner = NULL;
}

/* Ends the lease and all waiting for it. */
static void end_flight(struct flights *flights, struct flight *flight, enum flight_end end,
		       struct waiter_list *woken)
{
	take_lease(flights, flight);
	while (flight->heirs.first)
		end_waiter(flights, flight->heirs.first, end, woken);
	while (flight->watchers.first)
		end_waiter(flights, flight->watchers.first, end, woken);
	*find_place(flights, flight->key) = flight->bucket_next;
	free(flight);
	flights->lease_count--;
	(void)atomic_fetch_sub(&flights->interest, 1);
}

/* The lease ends without a value: the first who wants it has it next. */
static void pass_on(struct flights *flights, struct flight *flight, struct waiter_list *woken)
{
	struct flight_waiter *heir = flight->heirs.first;

	if (!heir) {
		end_flight(flights, flight, FLIGHT_LEASE_ENDED, woken);
		return;
	}
	take_lease(flights, flight);
	end_waiter(flights, heir, FLIGHT_GRANTED, woken);
	grant(flights, flight, heir);
}

/* ---- The interface ---- */

struct flights *flights_create(const struct cache_clock *clock, void (*earlier)(void *user),
			       void *user)
{
	struct flights *flights = calloc(1, sizeof(*flights));

	if (!flights)
		return NULL;
	flights->clock = clock;
	flights->earlier = earlier;
	flights->user = user;
	if (getrandom(&flights->seed, sizeof(flights->seed), 0) != (ssize_t)sizeof(flights->seed))
		abort();
	(void)pthread_mutex_init(&flights->lock, NULL);
	return flights;
}

static void end_all(struct flights *flights, struct waiter_list *woken)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (flights->buckets[i])
			end_flight(flights, flights->buckets[i], FLIGHT_STOPPED, woken);
}

void flights_stop(struct flights *flights)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	flights->stopped = true;
	end_all(flights, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
}

void flights_destroy(struct flights *flights)
{
	struct waiter_list none = {0};

	if (!flights)
		return;
	end_all(flights, &none);
	free(flights->heap);
	(void)pthread_mutex_destroy(&flights->lock);
	free(flights);
}

struct flight_key flight_key_of(const struct flights *flights, struct slice ns, struct slice key)
{
	XXH64_hash_t seed = XXH3_64bits_withSeed(ns.data, ns.len, flights->seed);
	XXH128_hash_t hash = XXH3_128bits_withSeed(key.data, key.len, seed);

	return (struct flight_key){.low = hash.low64, .high = hash.high64};
}

uint32_t flight_fingerprint(struct slice ns, struct slice key)
{
	return (uint32_t)XXH3_64bits_withSeed(key.data, key.len,
					      XXH3_64bits_withSeed(ns.data, ns.len, 0));
}

void flight_visit_begin(struct flights *flights)
{
	(void)atomic_fetch_add(&flights->interest, 1);
}

void flight_visit_end(struct flights *flights)
{
	(void)atomic_fetch_sub(&flights->interest, 1);
}

void flight_look(struct flights *flights, struct flight_waiter *waiter)
{
	waiter->seen = atomic_load(&flights->stripes[waiter->key.low % FLIGHT_STRIPES]);
}

/* Under the lock, where no lease is out on the key. */
static enum flight_answer open_flight(struct flights *flights, struct flight_waiter *waiter,
				      struct flight **place)
{
	if (waiter->lease_us == 0)
		return FLIGHT_MISS;
	struct flight *flight = flights->lease_count < FLIGHT_LEASES_MAX && reserve_timer(flights)
					? calloc(1, sizeof(*flight))
					: NULL;
	if (!flight)
		return FLIGHT_FULL;
	flight->key = waiter->key;
	flight->fingerprint = waiter->fingerprint;
	*place = flight;
	flights->lease_count++;
	(void)atomic_fetch_add(&flights->interest, 1);
	grant(flights, flight, waiter);
	return FLIGHT_LEASE;
}

static enum flight_answer join(struct flights *flights, struct flight_waiter *waiter,
			       struct waiter_list *woken)
{
	int64_t now_us = cache_clock_now_us(flights->clock);

	if (flights->stopped)
		return FLIGHT_STOPPING;
	if (atomic_load(&flights->stripes[waiter->key.low % FLIGHT_STRIPES]) != waiter->seen)
		return FLIGHT_READ_AGAIN;
	struct flight *flight = *find_place(flights, waiter->key);
	if (flight && flight->timer.at_us <= now_us)
		pass_on(flights, flight, woken); /* the timer is late */
	struct flight **place = find_place(flights, waiter->key);
	if (!*place)
		return open_flight(flights, waiter, place);
	if (waiter->wait_until_us <= now_us)
		return FLIGHT_MISS;
	if (!reserve_timer(flights))
		return FLIGHT_FULL;
	flight = *place;
	waiter->flight = flight;
	append_waiter(waiter->lease_us > 0 ? &flight->heirs : &flight->watchers, waiter);
	if (waiter->owner)
		waiter->owner->waiting = waiter;
	start_timer(flights, &waiter->timer, waiter->wait_until_us, false);
	return FLIGHT_PARKED;
}

enum flight_answer flight_join(struct flights *flights, struct flight_waiter *waiter)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	enum flight_answer answer = join(flights, waiter, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
	return answer;
}

void flight_value_came(struct flights *flights, const struct cache_op *op)
{
	struct waiter_list woken = {0};

	if (atomic_load(&flights->interest) == 0)
		return;
	for (size_t i = 0; i < op->item_count; i++) {
		struct flight_key key = flight_key_of(flights, op->ns, op->items[i].key);

		(void)pthread_mutex_lock(&flights->lock);
		(void)atomic_fetch_add(&flights->stripes[key.low % FLIGHT_STRIPES], 1);
		struct flight *flight = *find_place(flights, key);
		if (flight)
			end_flight(flights, flight, FLIGHT_LEASE_ENDED, &woken);
		(void)pthread_mutex_unlock(&flights->lock);
	}
	wake_all(&woken);
}

bool flight_release(struct flights *flights, struct flight_key key, const char *token)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	struct flight *flight = *find_place(flights, key);
	bool held = flight && strcmp(flight->token, token) == 0;
	if (held)
		pass_on(flights, flight, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
	return held;
}

void flight_owner_left(struct flights *flights, struct flight_owner *owner)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		end_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
}

void flight_owner_closed(struct flights *flights, struct flight_owner *owner)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		end_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	while (owner->leases)
		pass_on(flights, owner->leases, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
}

int64_t flight_expire(struct flights *flights)
{
	struct waiter_list woken = {0};
	int64_t next_us = INT64_MAX;

	(void)pthread_mutex_lock(&flights->lock);
	int64_t now_us = cache_clock_now_us(flights->clock);
	while (flights->heap_count > 0) {
		struct heap_slot slot = flights->heap[1];

		if (slot.timer->at_us > now_us) {
			next_us = slot.timer->at_us;
			break;
		}
		char *base = (char *)slot.timer;
		if (slot.is_lease)
			pass_on(flights, (void *)(base - offsetof(struct flight, timer)), &woken);
		else
			end_waiter(flights, (void *)(base - offsetof(struct flight_waiter, timer)),
				   FLIGHT_TIMED_OUT, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
	return next_us;
}
