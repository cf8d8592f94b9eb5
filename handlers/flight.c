#include "handlers/flight.h"

#include <inttypes.h>
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

/* A key that has a lease out on it, or somebody who waits for it. */
struct flight {
	struct flight_key key;
	struct flight *bucket_next;
	char token[LEASE_TOKEN_LEN + 1]; /* of the lease; empty: none is out */
	struct heap_timer timer;         /* its lapse */
	struct flight_owner *owner;      /* that the lease is bound to, or NULL */
	struct flight *owner_next, *owner_previous;
	struct waiter_list heirs;    /* who want the lease, in order of arrival; there is one out */
	struct waiter_list watchers; /* who do not */
};

struct flights {
	struct flights_config config;
	uint64_t seed;
	/* Visits and flights: while there is none, a set has nothing to do here. */
	atomic_size_t interest;
	atomic_uint_fast64_t stripes[FLIGHT_STRIPES];

	pthread_mutex_t lock; /* guards what follows, and all owners and parked waiters */
	bool stopped;
	size_t lease_count, waiting_count;
	struct timer_heap timers;
	struct flight *buckets[BUCKETS];
};

/* There is room (timer_heap_reserve). */
static void start_timer(struct flights *flights, struct heap_timer *timer, int64_t at_us,
			bool is_lease)
{
	if (timer_heap_start(&flights->timers, timer, at_us, is_lease) && flights->config.earlier)
		flights->config.earlier(flights->config.user);
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
	timer_heap_stop(&flights->timers, &waiter->timer);
	flights->waiting_count--;
	if (waiter->owner)
		waiter->owner->waiting = NULL;
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

/* ---- Flights ---- */

static struct flight **find_place(struct flights *flights, struct flight_key key)
{
	struct flight **place = &flights->buckets[key.low % BUCKETS];

	while (*place && ((*place)->key.low != key.low || (*place)->key.high != key.high))
		place = &(*place)->bucket_next;
	return place;
}

/* The flight at `place`, which find_place gave; a new one where there is none. NULL: no memory. */
static struct flight *open_flight(struct flights *flights, struct flight **place,
				  struct flight_key key)
{
	if (*place)
		return *place;
	struct flight *flight = calloc(1, sizeof(*flight));
	if (!flight)
		return NULL;
	flight->key = key;
	*place = flight;
	(void)atomic_fetch_add(&flights->interest, 1);
	return flight;
}

/* Frees a flight that nobody has a part in any more. */
static void close_if_idle(struct flights *flights, struct flight *flight)
{
	if (flight->token[0] || flight->heirs.first || flight->watchers.first)
		return;
	*find_place(flights, flight->key) = flight->bucket_next;
	free(flight);
	(void)atomic_fetch_sub(&flights->interest, 1);
}

/* A token is a number, and a tag that only this table computes from it and the key: so a lease that
 * is over can be told from one that never was, and nothing need be kept of it. */
static void write_token(const struct flights *flights, struct flight_key key, uint64_t number,
			char token[static LEASE_TOKEN_LEN + 1])
{
	const uint64_t tagged[] = {number, key.low, key.high};
	uint64_t tag = XXH3_64bits_withSeed(tagged, sizeof(tagged), flights->seed);

	(void)snprintf(token, LEASE_TOKEN_LEN + 1, "%016" PRIx64 "%016" PRIx64, number, tag);
}

static void make_token(const struct flights *flights, struct flight_key key,
		       char token[static LEASE_TOKEN_LEN + 1])
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		abort(); /* the kernel promises as much at once */
	write_token(flights, key, number, token);
}

static bool is_token_of(const struct flights *flights, struct flight_key key, const char *token)
{
	char digits[17] = "";
	char expected[LEASE_TOKEN_LEN + 1];

	memcpy(digits, token, strnlen(token, 16));
	write_token(flights, key, strtoull(digits, NULL, 16), expected);
	return strcmp(token, expected) == 0;
}

/* Gives the lease to `waiter`. There is none out, and room for its timer (timer_heap_reserve). */
static void grant(struct flights *flights, struct flight *flight, struct flight_waiter *waiter)
{
	make_token(flights, flight->key, flight->token);
	memcpy(waiter->token, flight->token, sizeof(flight->token));
	flights->lease_count++;
	start_timer(flights, &flight->timer,
		    cache_clock_now_us(flights->config.clock) + waiter->lease_us, true);
	if (!waiter->bind || !waiter->owner)
		return;
	flight->owner = waiter->owner;
	flight->owner_previous = NULL;
	flight->owner_next = flight->owner->leases;
	if (flight->owner_next)
		flight->owner_next->owner_previous = flight;
	flight->owner->leases = flight;
}

static void end_lease(struct flights *flights, struct flight *flight)
{
	if (!flight->token[0])
		return;
	flight->token[0] = '\0';
	flights->lease_count--;
	timer_heap_stop(&flights->timers, &flight->timer);
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
	end_lease(flights, flight);
	while (flight->heirs.first)
		end_waiter(flights, flight->heirs.first, end, woken);
	while (flight->watchers.first)
		end_waiter(flights, flight->watchers.first, end, woken);
	close_if_idle(flights, flight);
}

/* The lease ends without a value: the first who wants it has it next. */
static void pass_on(struct flights *flights, struct flight *flight, struct waiter_list *woken)
{
	struct flight_waiter *heir = flight->heirs.first;

	end_lease(flights, flight);
	if (!heir) {
		close_if_idle(flights, flight);
		return;
	}
	end_waiter(flights, heir, FLIGHT_GRANTED, woken);
	grant(flights, flight, heir);
}

/* One waiter alone goes. */
static void drop_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
			struct waiter_list *woken)
{
	struct flight *flight = waiter->flight;

	end_waiter(flights, waiter, end, woken);
	close_if_idle(flights, flight);
}

/* ---- The interface ---- */

struct flights *flights_create(const struct flights_config *config)
{
	struct flights *flights = calloc(1, sizeof(*flights));

	if (!flights)
		return NULL;
	flights->config = *config;
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

void flights_count(struct flights *flights, size_t *ret_waiting, size_t *ret_leases)
{
	(void)pthread_mutex_lock(&flights->lock);
	*ret_waiting = flights->waiting_count;
	*ret_leases = flights->lease_count;
	(void)pthread_mutex_unlock(&flights->lock);
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
	timer_heap_deinit(&flights->timers);
	(void)pthread_mutex_destroy(&flights->lock);
	free(flights);
}

struct flight_key flight_key_of(const struct flights *flights, struct slice ns, struct slice key)
{
	XXH64_hash_t seed = XXH3_64bits_withSeed(ns.data, ns.len, flights->seed);
	XXH128_hash_t hash = XXH3_128bits_withSeed(key.data, key.len, seed);

	return (struct flight_key){.low = hash.low64, .high = hash.high64};
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

/* Where no lease is out on the key. */
static enum flight_answer take_lease(struct flights *flights, struct flight **place,
				     struct flight_waiter *waiter)
{
	struct flight *flight = NULL;

	if (flights->lease_count < FLIGHT_LEASES_MAX && timer_heap_reserve(&flights->timers))
		flight = open_flight(flights, place, waiter->key);
	if (!flight)
		return FLIGHT_FULL;
	grant(flights, flight, waiter);
	return FLIGHT_LEASE;
}

static enum flight_answer park(struct flights *flights, struct flight **place,
			       struct flight_waiter *waiter)
{
	if (flights->waiting_count >= flights->config.max_waiting)
		return FLIGHT_CROWDED;
	struct flight *flight = timer_heap_reserve(&flights->timers)
					? open_flight(flights, place, waiter->key)
					: NULL;
	if (!flight)
		return FLIGHT_FULL;
	waiter->flight = flight;
	append_waiter(waiter->lease_us > 0 ? &flight->heirs : &flight->watchers, waiter);
	if (waiter->owner)
		waiter->owner->waiting = waiter;
	flights->waiting_count++;
	start_timer(flights, &waiter->timer, waiter->wait_until_us, false);
	return FLIGHT_PARKED;
}

static enum flight_answer join(struct flights *flights, struct flight_waiter *waiter,
			       struct waiter_list *woken)
{
	int64_t now_us = cache_clock_now_us(flights->config.clock);

	if (flights->stopped)
		return FLIGHT_STOPPING;
	if (atomic_load(&flights->stripes[waiter->key.low % FLIGHT_STRIPES]) != waiter->seen)
		return FLIGHT_READ_AGAIN;
	struct flight *flight = *find_place(flights, waiter->key);
	if (flight && flight->token[0] && flight->timer.at_us <= now_us)
		pass_on(flights, flight, woken); /* the timer is late */
	struct flight **place = find_place(flights, waiter->key);
	if (waiter->lease_us > 0 && !(*place && (*place)->token[0]))
		return take_lease(flights, place, waiter);
	if (waiter->wait_until_us <= now_us)
		return FLIGHT_MISS;
	return park(flights, place, waiter);
}

/* Where nothing is kept, everybody computes. */
static enum flight_answer join_nothing(const struct flights *flights, struct flight_waiter *waiter)
{
	if (waiter->lease_us == 0)
		return FLIGHT_MISS;
	make_token(flights, waiter->key, waiter->token);
	return FLIGHT_LEASE;
}

enum flight_answer flight_join(struct flights *flights, struct flight_waiter *waiter)
{
	struct waiter_list woken = {0};

	if (flights->config.keeps_nothing)
		return join_nothing(flights, waiter);
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
			end_flight(flights, flight, FLIGHT_VALUE, &woken);
		(void)pthread_mutex_unlock(&flights->lock);
	}
	wake_all(&woken);
}

enum flight_release flight_release(struct flights *flights, struct flight_key key,
				   const char *token)
{
	struct waiter_list woken = {0};

	if (!is_token_of(flights, key, token))
		return RELEASE_UNKNOWN;
	(void)pthread_mutex_lock(&flights->lock);
	struct flight *flight = *find_place(flights, key);
	bool is_out = flight && strcmp(flight->token, token) == 0;
	if (is_out)
		pass_on(flights, flight, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
	return is_out ? RELEASE_DONE : RELEASE_OVER;
}

void flight_owner_left(struct flights *flights, struct flight_owner *owner)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		drop_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
}

void flight_owner_closed(struct flights *flights, struct flight_owner *owner)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		drop_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	for (struct flight *next, *flight = owner->leases; flight; flight = next) {
		next = flight->owner_next;
		pass_on(flights, flight, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
}

int64_t flight_expire(struct flights *flights)
{
	struct waiter_list woken = {0};
	int64_t next_us = INT64_MAX;

	(void)pthread_mutex_lock(&flights->lock);
	int64_t now_us = cache_clock_now_us(flights->config.clock);
	while (flights->timers.count > 0) {
		struct heap_slot slot = flights->timers.slots[1];

		if (slot.timer->at_us > now_us) {
			next_us = slot.timer->at_us;
			break;
		}
		char *base = (char *)slot.timer;
		if (slot.is_lease)
			pass_on(flights, (void *)(base - offsetof(struct flight, timer)), &woken);
		else
			drop_waiter(flights, (void *)(base - offsetof(struct flight_waiter, timer)),
				    FLIGHT_TIMED_OUT, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	wake_all(&woken);
	return next_us;
}
