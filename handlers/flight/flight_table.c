#include "handlers/flight/flight_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/invariant.h"

void flight_start_timer(struct flights *flights, struct heap_timer *timer, int64_t at_us,
			enum timer_kind kind)
{
	timer->kind = kind;
	if (timer_heap_start(&flights->timers, timer, at_us) && flights->config.earlier)
		flights->config.earlier(flights->config.user);
}

/* ---- Waiters ---- */

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

static void prepend_waiter(struct waiter_list *list, struct flight_waiter *waiter)
{
	waiter->previous = NULL;
	waiter->next = list->first;
	if (list->first)
		list->first->previous = waiter;
	else
		list->last = waiter;
	list->first = waiter;
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

static struct waiter_list *list_of(struct flight *flight, const struct flight_waiter *waiter)
{
	return waiter->lease_us > 0 ? &flight->heirs : &flight->watchers;
}

void flight_end_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
		       struct waiter_list *woken)
{
	INVARIANT(flights->waiting_count > 0);
	unlink_waiter(list_of(waiter->flight, waiter), waiter);
	timer_heap_stop(&flights->timers, &waiter->timer);
	flights->waiting_count--;
	if (waiter->owner)
		waiter->owner->waiting = NULL;
	waiter->end = end;
	append_waiter(woken, waiter);
}

void flight_end_waiters(struct flights *flights, struct flight *flight, enum flight_end end,
			struct waiter_list *woken)
{
	while (flight->heirs.first)
		flight_end_waiter(flights, flight->heirs.first, end, woken);
	while (flight->watchers.first)
		flight_end_waiter(flights, flight->watchers.first, end, woken);
}

static void begin_wait(struct flights *flights, struct flight *flight, struct flight_waiter *waiter)
{
	INVARIANT(!waiter->owner || !waiter->owner->waiting);
	waiter->flight = flight;
	if (waiter->owner)
		waiter->owner->waiting = waiter;
	flights->waiting_count++;
	flight_start_timer(flights, &waiter->timer, waiter->wait_until_us, TIMER_OF_WAITER);
}

void flight_park(struct flights *flights, struct flight *flight, struct flight_waiter *waiter)
{
	append_waiter(list_of(flight, waiter), waiter);
	begin_wait(flights, flight, waiter);
}

void flight_park_first(struct flights *flights, struct flight *flight, struct flight_waiter *waiter)
{
	prepend_waiter(list_of(flight, waiter), waiter);
	begin_wait(flights, flight, waiter);
}

void flight_wake_all(struct waiter_list *woken)
{
	for (struct flight_waiter *next, *at = woken->first; at; at = next) {
		next = at->next;
		at->wake(at);
	}
}

/* ---- Flights ---- */

struct flight *flight_open(struct flights *flights, struct flight **place, struct flight_key key)
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

void flight_close_if_idle(struct flights *flights, struct flight *flight)
{
	if (flight->token[0] || flight->heirs.first || flight->watchers.first || flight->asker)
		return;
	timer_heap_stop(&flights->timers, &flight->timer);
	*flight_find_place(flights, flight->key) = flight->bucket_next;
	free(flight);
	(void)atomic_fetch_sub(&flights->interest, 1);
}

/* ---- Leases ---- */

struct flight_key flight_hash_key(uint64_t seed, struct slice ns, struct slice key)
{
	XXH64_hash_t ns_seed = XXH3_64bits_withSeed(ns.data, ns.len, seed);
	XXH128_hash_t hash = XXH3_128bits_withSeed(key.data, key.len, ns_seed);

	return (struct flight_key){.low = hash.low64, .high = hash.high64};
}

/* A token is a number and a tag that is computed from it and the key: so a lease that is over can
 * be told from one that never existed, without remembering it. Only this table can compute the tag,
 * or, where leases are shared, any server can: then only the number keeps others from guessing. */
static void write_token(const struct flights *flights, struct flight_key key, uint64_t number,
			char token[static LEASE_TOKEN_LEN + 1])
{
	const uint64_t tagged[] = {number, key.low, key.high};
	uint64_t tag = XXH3_64bits_withSeed(tagged, sizeof(tagged),
					    key.is_shared ? FLIGHT_SHARED_SEED : flights->seed);

	(void)snprintf(token, LEASE_TOKEN_LEN + 1, "%016" PRIx64 "%016" PRIx64, number, tag);
}

void flight_make_token(const struct flights *flights, struct flight_key key,
		       char token[static LEASE_TOKEN_LEN + 1])
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
		abort(); /* the kernel promises that many bytes at once */
	write_token(flights, key, number, token);
}

bool flight_is_token_of(const struct flights *flights, struct flight_key key, const char *token)
{
	char digits[17] = "";
	char expected[LEASE_TOKEN_LEN + 1];

	memcpy(digits, token, strnlen(token, 16));
	write_token(flights, key, strtoull(digits, NULL, 16), expected);
	return strcmp(token, expected) == 0;
}

void flight_bind_lease(struct flight *flight, struct flight_waiter *waiter)
{
	if (!waiter->bind || !waiter->owner)
		return;
	flight->owner = waiter->owner;
	flight->owner_previous = NULL;
	flight->owner_next = flight->owner->leases;
	if (flight->owner_next)
		flight->owner_next->owner_previous = flight;
	flight->owner->leases = flight;
}

void flight_grant(struct flights *flights, struct flight *flight, struct flight_waiter *waiter)
{
	INVARIANT(!flight->token[0]); /* at most one holder */
	flight_make_token(flights, flight->key, flight->token);
	memcpy(waiter->token, flight->token, sizeof(flight->token));
	flights->lease_count++;
	flight_start_timer(flights, &flight->timer,
			   cache_clock_now_us(flights->config.clock) + waiter->lease_us,
			   TIMER_OF_LEASE);
	flight_bind_lease(flight, waiter);
}

void flight_end_lease(struct flights *flights, struct flight *flight)
{
	if (!flight->token[0])
		return;
	flight->token[0] = '\0';
	flights->lease_count--;
	lease_end_free(flight->bound);
	flight->bound = NULL;
	if (!flight->key.is_shared)
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

/* ---- Ends ---- */

void flight_finish(struct flights *flights, struct flight *flight, enum flight_end end,
		   struct waiter_list *woken)
{
	flight_end_lease(flights, flight);
	flight_end_waiters(flights, flight, end, woken);
	flight->asker = NULL;
	flight_close_if_idle(flights, flight);
}

void flight_pass_on(struct flights *flights, struct flight *flight, struct waiter_list *woken)
{
	struct flight_waiter *heir = flight->heirs.first;

	flight_end_lease(flights, flight);
	if (!heir) {
		flight_close_if_idle(flights, flight);
		return;
	}
	flight_end_waiter(flights, heir, FLIGHT_GRANTED, woken);
	flight_grant(flights, flight, heir);
}

void flight_drop_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
			struct waiter_list *woken)
{
	struct flight *flight = waiter->flight;

	flight_end_waiter(flights, waiter, end, woken);
	flight_close_if_idle(flights, flight);
}
