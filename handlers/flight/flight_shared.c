#include "handlers/flight/flight_shared.h"

#include <string.h>

#include "base/invariant.h"

static bool has_waiters(const struct flight *flight)
{
	return flight->heirs.first || flight->watchers.first;
}

/* Sets the timer to what is due next; it runs, so there is room for it. */
static void set_timer(struct flights *flights, struct flight *flight)
{
	int64_t at_us = flight->token[0] ? flight->lapses_us : INT64_MAX;

	if (flight->is_held)
		at_us = earlier_us(at_us, flight->held_until_us);
	if (flight->asker || has_waiters(flight))
		at_us = earlier_us(at_us, flight->look_us);
	timer_heap_stop(&flights->timers, &flight->timer);
	flight_start_timer(flights, &flight->timer, at_us, TIMER_OF_LEASE);
}

/* At the end of every change. */
static void settle(struct flights *flights, struct flight *flight, int64_t now_us)
{
	if (flight->asker && flight->look_us <= now_us) /* it takes its time */
		flight->look_us = now_us + LOOK_AGAIN_US;
	set_timer(flights, flight);
	flight_close_if_idle(flights, flight);
}

/* NULL: out of memory. Else there is room for the timer of a waiter, too. */
static struct flight *open_flight(struct flights *flights, struct flight_key key, int64_t now_us)
{
	struct flight *flight = timer_heap_reserve(&flights->timers)
					? flight_open(flights, flight_find_place(flights, key), key)
					: NULL;

	if (!flight)
		return NULL;
	if (flight->timer.place == 0) {
		flight->look_us = now_us + LOOK_AGAIN_US;
		flight_start_timer(flights, &flight->timer, INT64_MAX, TIMER_OF_LEASE);
	}
	if (timer_heap_reserve(&flights->timers))
		return flight;
	flight_close_if_idle(flights, flight);
	return NULL;
}

/* ---- Turns ---- */

static void take_turn(struct flight *flight, struct flight_waiter *waiter, int64_t now_us)
{
	waiter->has_turn = true;
	flight->asker = waiter;
	flight->is_outdated = false;
	flight->look_us = now_us + LOOK_AGAIN_US;
}

/* Wakes whoever is to ask for all; first come those who want the lease. */
static void give_turn(struct flights *flights, struct flight *flight, int64_t now_us,
		      struct waiter_list *woken)
{
	struct flight_waiter *next =
		flight->heirs.first ? flight->heirs.first : flight->watchers.first;

	if (!next || flight->asker)
		return;
	flight_end_waiter(flights, next, FLIGHT_TURN, woken);
	take_turn(flight, next, now_us);
}

/* What was known may be over. */
static void look_again(struct flights *flights, struct flight *flight, int64_t now_us,
		       struct waiter_list *woken)
{
	flight->is_held = false;
	flight->is_outdated = true;
	give_turn(flights, flight, now_us, woken);
	settle(flights, flight, now_us);
}

void flight_shared_pass_turn(struct flights *flights, struct flight_waiter *waiter, int64_t now_us,
			     struct waiter_list *woken)
{
	struct flight *flight = *flight_find_place(flights, waiter->key);

	waiter->has_turn = false;
	if (!flight || flight->asker != waiter)
		return;
	flight->asker = NULL;
	give_turn(flights, flight, now_us, woken);
	settle(flights, flight, now_us);
}

void flight_shared_expire(struct flights *flights, struct flight *flight, int64_t now_us,
			  struct waiter_list *woken)
{
	bool is_due = flight->look_us <= now_us;

	if (flight->token[0] && flight->lapses_us <= now_us)
		flight_end_lease(flights, flight);
	if (flight->is_held && flight->held_until_us <= now_us) {
		flight->is_held = false;
		is_due = true;
	}
	if (is_due)
		give_turn(flights, flight, now_us, woken);
	settle(flights, flight, now_us);
}

/* ---- Visits ---- */

static enum flight_answer park(struct flights *flights, struct flight_waiter *waiter, bool is_first,
			       int64_t now_us)
{
	if (flights->waiting_count >= flights->config.max_waiting)
		return FLIGHT_CROWDED;
	struct flight *flight = open_flight(flights, waiter->key, now_us);
	if (!flight)
		return FLIGHT_FULL;
	waiter->has_waited = true;
	if (is_first)
		flight_park_first(flights, flight, waiter);
	else
		flight_park(flights, flight, waiter);
	settle(flights, flight, now_us);
	return FLIGHT_PARKED;
}

/* Whether what the store said still tells those who come to wait. */
static bool is_known(const struct flight *flight, const struct flight_waiter *waiter,
		     int64_t now_us)
{
	if (!flight)
		return false;
	if (flight->asker)
		return true;
	if (flight->look_us <= now_us)
		return false;
	return flight->is_held ? flight->held_until_us > now_us : waiter->lease_us == 0;
}

enum flight_answer flight_shared_join(struct flights *flights, struct flight_waiter *waiter,
				      int64_t now_us, struct waiter_list *woken)
{
	struct flight *flight = *flight_find_place(flights, waiter->key);

	if (flight && flight->timer.at_us <= now_us) { /* the timer is late */
		flight_shared_expire(flights, flight, now_us, woken);
		flight = *flight_find_place(flights, waiter->key);
	}
	if (waiter->wait_until_us <= now_us) {
		bool has_waited = waiter->wait_until_us != 0;

		/* One who does not wait at all has it exactly, whatever is on its way to us. */
		if (waiter->lease_us == 0 || (has_waited && is_known(flight, waiter, now_us)))
			return FLIGHT_MISS;
		return flights->lease_count < FLIGHT_LEASES_MAX ? FLIGHT_ASK : FLIGHT_FULL;
	}
	if (is_known(flight, waiter, now_us))
		return park(flights, waiter, false, now_us);
	if (waiter->lease_us > 0 && flights->lease_count >= FLIGHT_LEASES_MAX)
		return FLIGHT_FULL;
	flight = open_flight(flights, waiter->key, now_us);
	if (!flight)
		return FLIGHT_FULL;
	take_turn(flight, waiter, now_us);
	settle(flights, flight, now_us);
	return FLIGHT_ASK;
}

static enum flight_answer granted(struct flights *flights, struct shared_ask *ask)
{
	struct flight_waiter *waiter = ask->waiter;
	const struct cache_lease *lease = &ask->op->lease;
	bool is_bound = waiter->bind && waiter->owner;
	struct flight *flight = NULL;

	INVARIANT(lease->token.len == LEASE_TOKEN_LEN);
	if (!is_bound || ask->bound)
		flight = open_flight(flights, waiter->key, ask->now_us);
	if (!flight)
		return FLIGHT_FULL;
	flight_end_lease(flights, flight);
	memcpy(flight->token, lease->token.data, LEASE_TOKEN_LEN);
	memcpy(waiter->token, flight->token, sizeof(flight->token));
	flights->lease_count++;
	flight->lapses_us = flight->held_until_us = ask->now_us + lease->left_us;
	flight->is_held = true;
	flight->look_us = ask->now_us + LOOK_AGAIN_US;
	if (is_bound) {
		flight->bound = ask->bound;
		ask->bound = NULL;
		flight_bind_lease(flight, waiter);
	}
	settle(flights, flight, ask->now_us);
	return FLIGHT_LEASE;
}

enum flight_answer flight_shared_go_on(struct flights *flights, struct flight_waiter *waiter,
				       int64_t now_us)
{
	enum flight_answer answer = park(flights, waiter, true, now_us);
	struct flight *flight = waiter->flight;

	if (answer != FLIGHT_PARKED || flight->asker)
		return answer;
	flight->is_held = false;
	flight->look_us = now_us + LOOK_AFTER_FAILURE_US;
	settle(flights, flight, now_us);
	return answer;
}

static enum flight_answer failed(struct flights *flights, struct flight *flight,
				 struct shared_ask *ask, struct waiter_list *woken)
{
	struct flight_waiter *waiter = ask->waiter;

	if (waiter->has_waited && waiter->wait_until_us > ask->now_us)
		return flight_shared_go_on(flights, waiter, ask->now_us);
	/* They try themselves, and learn what is wrong. */
	flight_end_waiters(flights, flight, FLIGHT_VALUE, woken);
	return FLIGHT_FAILED;
}

/* Somebody else has the lease, or, for one who does not want it, nobody has. `asks_for_all`: the
 * waiter's flight has waited for that. */
static enum flight_answer not_granted(struct flights *flights, struct shared_ask *ask,
				      bool asks_for_all, struct waiter_list *woken)
{
	struct flight_waiter *waiter = ask->waiter;
	struct flight *flight = *flight_find_place(flights, waiter->key);
	bool is_held = ask->op->lease.outcome == LEASE_HELD;
	bool can_wait = waiter->wait_until_us > ask->now_us;
	bool has_news = flight_seen(flights, waiter->key) != waiter->seen;

	if (asks_for_all && !flight->is_outdated) {
		flight->is_held = is_held;
		flight->held_until_us = ask->now_us + ask->op->lease.left_us;
		flight->look_us = ask->now_us + LOOK_AGAIN_US;
	} else if (asks_for_all && can_wait && !has_news) {
		take_turn(flight, waiter, ask->now_us);
		return FLIGHT_ASK;
	}
	if (asks_for_all && (flight->is_outdated || (!is_held && flight->heirs.first)))
		give_turn(flights, flight, ask->now_us, woken);
	if (!can_wait)
		return FLIGHT_MISS;
	return has_news ? FLIGHT_READ_AGAIN : park(flights, waiter, asks_for_all, ask->now_us);
}

/* The value is there, for all. */
static enum flight_answer fresh(struct flights *flights, struct flight_key key,
				struct waiter_list *woken)
{
	struct flight *flight = *flight_find_place(flights, key);

	(void)atomic_fetch_add(&flights->stripes[key.low % FLIGHT_STRIPES], 1);
	if (flight)
		flight_finish(flights, flight, FLIGHT_VALUE, woken);
	return FLIGHT_READ_AGAIN;
}

enum flight_answer flight_shared_asked(struct flights *flights, struct shared_ask *ask,
				       struct waiter_list *woken)
{
	struct flight_waiter *waiter = ask->waiter;
	struct flight *flight = *flight_find_place(flights, waiter->key);
	bool asks_for_all = flight && flight->asker == waiter;
	enum flight_answer answer = FLIGHT_FAILED;

	waiter->has_turn = false;
	if (asks_for_all)
		flight->asker = NULL;
	if (flights->stopped) {
		answer = FLIGHT_STOPPING;
	} else if (ask->op->status != CACHE_OK) {
		if (asks_for_all)
			answer = failed(flights, flight, ask, woken);
	} else if (ask->op->lease.outcome == LEASE_GRANTED) {
		answer = granted(flights, ask);
		/* What was heard may have been its end. */
		if (answer == FLIGHT_LEASE && asks_for_all && flight->is_outdated)
			look_again(flights, flight, ask->now_us, woken);
	} else if (ask->op->lease.outcome == LEASE_FRESH) {
		answer = fresh(flights, waiter->key, woken);
	} else {
		answer = not_granted(flights, ask, asks_for_all, woken);
	}
	flight = *flight_find_place(flights, waiter->key);
	if (asks_for_all && flight)
		settle(flights, flight, ask->now_us);
	return answer;
}

/* ---- What the store tells ---- */

void flight_shared_lease_over(struct flights *flights, struct flight_key key, struct slice token,
			      int64_t now_us, struct waiter_list *woken)
{
	struct flight *flight = *flight_find_place(flights, key);

	if (!flight)
		return;
	if (slice_equal(slice_of(flight->token), token))
		flight_end_lease(flights, flight);
	look_again(flights, flight, now_us, woken);
}

void flight_shared_written(struct flights *flights, struct flight_key key,
			   struct waiter_list *woken)
{
	struct flight *flight = *flight_find_place(flights, key);

	(void)atomic_fetch_add(&flights->stripes[key.low % FLIGHT_STRIPES], 1);
	if (!flight)
		return;
	flight->is_held = false;
	flight->asker = NULL;
	flight_end_waiters(flights, flight, FLIGHT_VALUE, woken);
	/* One that is bound stays known, for its connection: it may be younger than the value. */
	if (!flight->owner)
		flight_end_lease(flights, flight);
	set_timer(flights, flight);
	flight_close_if_idle(flights, flight);
}

void flight_shared_gap(struct flights *flights, int64_t now_us, struct waiter_list *woken)
{
	(void)atomic_fetch_add(&flights->gaps, 1);
	for (size_t i = 0; i < FLIGHT_BUCKETS; i++)
		for (struct flight *next, *flight = flights->buckets[i]; flight; flight = next) {
			next = flight->bucket_next;
			if (flight->key.is_shared)
				look_again(flights, flight, now_us, woken);
		}
}

struct lease_end *flight_shared_drop(struct flights *flights, struct flight *flight)
{
	struct lease_end *bound = flight->bound;

	flight->bound = NULL;
	flight_end_lease(flights, flight);
	set_timer(flights, flight);
	flight_close_if_idle(flights, flight);
	return bound;
}
