#include "handlers/flight/flight.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/invariant.h"
#include "handlers/flight/flight_table.h"

/* ---- The table ---- */

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
	for (size_t i = 0; i < FLIGHT_BUCKETS; i++)
		while (flights->buckets[i])
			flight_finish(flights, flights->buckets[i], FLIGHT_STOPPED, woken);
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
	flight_wake_all(&woken);
}

void flights_destroy(struct flights *flights)
{
	struct waiter_list none = {0};

	if (!flights)
		return;
	INVARIANT(flights->waiting_count == 0);
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

/* ---- Visits ---- */

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

/* For a key without a lease. */
static enum flight_answer take_lease(struct flights *flights, struct flight **place,
				     struct flight_waiter *waiter)
{
	struct flight *flight = NULL;

	if (flights->lease_count < FLIGHT_LEASES_MAX && timer_heap_reserve(&flights->timers))
		flight = flight_open(flights, place, waiter->key);
	if (!flight)
		return FLIGHT_FULL;
	flight_grant(flights, flight, waiter);
	return FLIGHT_LEASE;
}

static enum flight_answer park(struct flights *flights, struct flight **place,
			       struct flight_waiter *waiter)
{
	if (flights->waiting_count >= flights->config.max_waiting)
		return FLIGHT_CROWDED;
	struct flight *flight = timer_heap_reserve(&flights->timers)
					? flight_open(flights, place, waiter->key)
					: NULL;
	if (!flight)
		return FLIGHT_FULL;
	flight_park(flights, flight, waiter);
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
	struct flight *flight = *flight_find_place(flights, waiter->key);
	if (flight && flight->token[0] && flight->timer.at_us <= now_us)
		flight_pass_on(flights, flight, woken); /* the timer is late */
	struct flight **place = flight_find_place(flights, waiter->key);
	if (waiter->lease_us > 0 && !(*place && (*place)->token[0]))
		return take_lease(flights, place, waiter);
	if (waiter->wait_until_us <= now_us)
		return FLIGHT_MISS;
	return park(flights, place, waiter);
}

/* If nothing is kept, everybody computes. */
static enum flight_answer join_nothing(const struct flights *flights, struct flight_waiter *waiter)
{
	if (waiter->lease_us == 0)
		return FLIGHT_MISS;
	flight_make_token(flights, waiter->key, waiter->token);
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
	flight_wake_all(&woken);
	return answer;
}

/* ---- What ends a wait or a lease ---- */

void flight_value_came(struct flights *flights, const struct cache_op *op)
{
	struct waiter_list woken = {0};

	if (atomic_load(&flights->interest) == 0)
		return;
	for (size_t i = 0; i < op->item_count; i++) {
		struct flight_key key = flight_key_of(flights, op->ns, op->items[i].key);

		(void)pthread_mutex_lock(&flights->lock);
		(void)atomic_fetch_add(&flights->stripes[key.low % FLIGHT_STRIPES], 1);
		struct flight *flight = *flight_find_place(flights, key);
		if (flight)
			flight_finish(flights, flight, FLIGHT_VALUE, &woken);
		(void)pthread_mutex_unlock(&flights->lock);
	}
	flight_wake_all(&woken);
}

enum flight_release flight_release(struct flights *flights, struct flight_key key,
				   const char *token)
{
	struct waiter_list woken = {0};

	if (!flight_is_token_of(flights, key, token))
		return RELEASE_UNKNOWN;
	(void)pthread_mutex_lock(&flights->lock);
	struct flight *flight = *flight_find_place(flights, key);
	bool is_out = flight && strcmp(flight->token, token) == 0;
	if (is_out)
		flight_pass_on(flights, flight, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
	return is_out ? RELEASE_DONE : RELEASE_OVER;
}

void flight_owner_left(struct flights *flights, struct flight_owner *owner)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		flight_drop_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
}

void flight_owner_closed(struct flights *flights, struct flight_owner *owner)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		flight_drop_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	for (struct flight *next, *flight = owner->leases; flight; flight = next) {
		next = flight->owner_next;
		flight_pass_on(flights, flight, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
}

int64_t flight_expire(struct flights *flights)
{
	struct waiter_list woken = {0};
	int64_t next_us = INT64_MAX;

	(void)pthread_mutex_lock(&flights->lock);
	int64_t now_us = cache_clock_now_us(flights->config.clock);
	while (flights->timers.count > 0) {
		struct heap_timer *timer = flights->timers.slots[1];

		if (timer->at_us > now_us) {
			next_us = timer->at_us;
			break;
		}
		char *base = (char *)timer;
		if (timer->kind == TIMER_OF_LEASE)
			flight_pass_on(flights, (void *)(base - offsetof(struct flight, timer)),
				       &woken);
		else
			flight_drop_waiter(flights,
					   (void *)(base - offsetof(struct flight_waiter, timer)),
					   FLIGHT_TIMED_OUT, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
	return next_us;
}
