#include "handlers/flight/flight.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

#include "base/invariant.h"
#include "handlers/flight/flight_shared.h"

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
	(void)pthread_cond_init(&flights->ends_are_over, NULL);
	return flights;
}

static int64_t now_of(const struct flights *flights)
{
	return cache_clock_now_us(flights->config.clock);
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

/* ---- Ends of leases, on their way to the store ---- */

static void end_done(struct lease_end *end)
{
	struct flights *flights = end->user;

	flight_op_done(flights, &end->op);
	(void)pthread_mutex_lock(&flights->lock);
	INVARIANT(flights->ends > 0);
	if (--flights->ends == 0)
		(void)pthread_cond_signal(&flights->ends_are_over);
	(void)pthread_mutex_unlock(&flights->lock);
}

/* NULL is fine. Without the lock. */
static void submit_ends(struct flights *flights, struct lease_end *first)
{
	for (struct lease_end *next, *end = first; end; end = next) {
		next = end->next;
		(void)pthread_mutex_lock(&flights->lock);
		flights->ends++;
		(void)pthread_mutex_unlock(&flights->lock);
		end->done = end_done;
		end->user = flights;
		lease_end_submit(end, flights->config.backend);
	}
}

static void push_end(struct lease_end **list, struct lease_end *end)
{
	if (!end)
		return;
	end->next = *list;
	*list = end;
}

void flights_stop(struct flights *flights)
{
	struct waiter_list woken = {0};
	struct lease_end *ends = NULL;

	(void)pthread_mutex_lock(&flights->lock);
	flights->stopped = true;
	for (size_t i = 0; i < FLIGHT_BUCKETS; i++)
		for (struct flight *at = flights->buckets[i]; at; at = at->bucket_next) {
			push_end(&ends, at->bound);
			at->bound = NULL;
		}
	end_all(flights, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	submit_ends(flights, ends);
	flight_wake_all(&woken);
}

void flights_destroy(struct flights *flights)
{
	struct waiter_list none = {0};

	if (!flights)
		return;
	INVARIANT(flights->waiting_count == 0);
	(void)pthread_mutex_lock(&flights->lock);
	while (flights->ends > 0)
		(void)pthread_cond_wait(&flights->ends_are_over, &flights->lock);
	(void)pthread_mutex_unlock(&flights->lock);
	end_all(flights, &none);
	timer_heap_deinit(&flights->timers);
	(void)pthread_cond_destroy(&flights->ends_are_over);
	(void)pthread_mutex_destroy(&flights->lock);
	free(flights);
}

static void describe(const struct flights *flights, struct slice ns, struct flight_key *ret)
{
	const struct flights_config *config = &flights->config;
	unsigned bits = config->backend ? backend_traits_of(config->backend, ns).bits : 0;

	ret->is_shared = bits & BACKEND_LEASES;
	ret->keeps_nothing = config->keeps_nothing || (bits & BACKEND_KEEPS_NOTHING);
}

struct flight_key flight_key_of(const struct flights *flights, struct slice ns, struct slice key)
{
	struct flight_key ret = flight_hash_key(flights->seed, ns, key);

	describe(flights, ns, &ret);
	return ret;
}

/* For its token. */
static struct flight_key token_key_of(const struct flights *flights, struct slice ns,
				      struct slice key)
{
	struct flight_key ret = flight_key_of(flights, ns, key);

	if (!ret.is_shared)
		return ret;
	ret = flight_hash_key(FLIGHT_SHARED_SEED, ns, key);
	ret.is_shared = true;
	return ret;
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
	waiter->seen = flight_seen(flights, waiter->key);
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
	int64_t now_us = now_of(flights);

	if (flights->stopped)
		return FLIGHT_STOPPING;
	if (flight_seen(flights, waiter->key) != waiter->seen)
		return FLIGHT_READ_AGAIN;
	if (waiter->key.is_shared)
		return flight_shared_join(flights, waiter, now_us, woken);
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

	if (waiter->key.keeps_nothing)
		return join_nothing(flights, waiter);
	(void)pthread_mutex_lock(&flights->lock);
	enum flight_answer answer = join(flights, waiter, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
	return answer;
}

void flight_fill_ask(const struct flights *flights, const struct flight_waiter *waiter,
		     struct cache_op *op, char token[static LEASE_TOKEN_LEN + 1])
{
	if (waiter->lease_us == 0)
		return;
	flight_make_token(flights, token_key_of(flights, op->ns, op->one.key), token);
	op->lease.token = (struct slice){.data = token, .len = LEASE_TOKEN_LEN};
	op->lease.ttl_us = waiter->lease_us;
}

/* Whether the store gave a lease, or may have. */
static bool may_have_lease(const struct cache_op *op)
{
	return op->lease.token.len > 0 &&
	       (op->status != CACHE_OK || op->lease.outcome == LEASE_GRANTED);
}

enum flight_answer flight_asked(struct flights *flights, struct flight_waiter *waiter,
				const struct cache_op *op)
{
	struct shared_ask ask = {.waiter = waiter, .op = op};
	struct waiter_list woken = {0};

	if (may_have_lease(op))
		ask.bound = lease_end_create(op->ns, op->one.key, op->lease.token);
	(void)pthread_mutex_lock(&flights->lock);
	ask.now_us = now_of(flights);
	enum flight_answer answer = flight_shared_asked(flights, &ask, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	if (answer == FLIGHT_LEASE)
		lease_end_free(ask.bound);
	else
		submit_ends(flights, ask.bound);
	flight_wake_all(&woken);
	return answer;
}

enum flight_answer flight_read_failed(struct flights *flights, struct flight_waiter *waiter)
{
	enum flight_answer answer = FLIGHT_FAILED;

	(void)pthread_mutex_lock(&flights->lock);
	int64_t now_us = now_of(flights);
	if (waiter->has_waited && !flights->stopped && waiter->wait_until_us > now_us)
		answer = flight_shared_go_on(flights, waiter, now_us);
	(void)pthread_mutex_unlock(&flights->lock);
	return answer;
}

void flight_pass_turn(struct flights *flights, struct flight_waiter *waiter)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	flight_shared_pass_turn(flights, waiter, now_of(flights), &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
}

/* ---- What ends a wait or a lease ---- */

static void end_flight(struct flights *flights, struct flight_key key, struct waiter_list *woken)
{
	(void)pthread_mutex_lock(&flights->lock);
	(void)atomic_fetch_add(&flights->stripes[key.low % FLIGHT_STRIPES], 1);
	struct flight *flight = *flight_find_place(flights, key);
	if (flight)
		flight_finish(flights, flight, FLIGHT_VALUE, woken);
	(void)pthread_mutex_unlock(&flights->lock);
}

static void value_came(struct flights *flights, const struct cache_op *op)
{
	struct waiter_list woken = {0};

	for (size_t i = 0; i < op->item_count; i++)
		end_flight(flights, flight_key_of(flights, op->ns, op->items[i].key), &woken);
	flight_wake_all(&woken);
}

void flight_value_found(struct flights *flights, struct flight_key key)
{
	struct waiter_list woken = {0};

	end_flight(flights, key, &woken);
	flight_wake_all(&woken);
}

static void lease_over(struct flights *flights, struct slice ns, struct slice key,
		       struct slice token)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	flight_shared_lease_over(flights, flight_key_of(flights, ns, key), token, now_of(flights),
				 &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
}

void flight_op_done(struct flights *flights, const struct cache_op *op)
{
	if (op->status != CACHE_OK || atomic_load(&flights->interest) == 0)
		return;
	if (op->type == CACHE_OP_SET)
		value_came(flights, op);
	else if (op->type == CACHE_OP_LEASE_END)
		lease_over(flights, op->ns, op->one.key, op->lease.token);
}

void flight_news(struct flights *flights, const struct cache_news *news)
{
	struct waiter_list woken = {0};

	if (atomic_load(&flights->interest) == 0)
		return;
	(void)pthread_mutex_lock(&flights->lock);
	int64_t now_us = now_of(flights);
	struct flight_key key = flight_key_of(flights, news->ns, news->key);
	switch (news->kind) {
	case NEWS_WRITTEN:
		flight_shared_written(flights, key, &woken);
		break;
	case NEWS_LEASE_ENDED:
		flight_shared_lease_over(flights, key, news->token, now_us, &woken);
		break;
	case NEWS_MAY_BE_MISSING:
		flight_shared_gap(flights, now_us, &woken);
		break;
	case NEWS_DELETED:
	case NEWS_CLEARED:
		break;
	}
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
}

static enum flight_release release_here(struct flights *flights, struct flight_key key,
					const char *token)
{
	struct waiter_list woken = {0};

	(void)pthread_mutex_lock(&flights->lock);
	struct flight *flight = *flight_find_place(flights, key);
	bool is_out = flight && strcmp(flight->token, token) == 0;
	if (is_out)
		flight_pass_on(flights, flight, &woken);
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
	return is_out ? RELEASE_DONE : RELEASE_OVER;
}

enum flight_release flight_release(struct flights *flights, struct slice ns, struct slice key,
				   const char *token)
{
	struct flight_key token_key = token_key_of(flights, ns, key);

	if (!flight_is_token_of(flights, token_key, token))
		return RELEASE_UNKNOWN;
	return token_key.is_shared ? RELEASE_ASK : release_here(flights, token_key, token);
}

bool flight_give_back(struct flights *flights, struct slice ns, struct slice key, const char *token,
		      void (*wake)(void *user), void *user)
{
	struct flight_key hash = flight_key_of(flights, ns, key);

	if (!hash.is_shared) {
		(void)release_here(flights, hash, token);
		return false;
	}
	(void)pthread_mutex_lock(&flights->lock);
	struct flight *flight = *flight_find_place(flights, hash);
	if (flight && strcmp(flight->token, token) == 0)
		lease_end_free(flight_shared_drop(flights, flight));
	(void)pthread_mutex_unlock(&flights->lock);
	struct lease_end *end = lease_end_create(ns, key, slice_of(token));
	if (!end)
		return false;
	end->wake = wake;
	end->wake_user = user;
	submit_ends(flights, end);
	return true;
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
	struct lease_end *ends = NULL;

	(void)pthread_mutex_lock(&flights->lock);
	if (owner->waiting)
		flight_drop_waiter(flights, owner->waiting, FLIGHT_LEFT, &woken);
	for (struct flight *next, *flight = owner->leases; flight; flight = next) {
		next = flight->owner_next;
		if (flight->key.is_shared)
			push_end(&ends, flight_shared_drop(flights, flight));
		else
			flight_pass_on(flights, flight, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	submit_ends(flights, ends);
	flight_wake_all(&woken);
}

int64_t flight_expire(struct flights *flights)
{
	struct waiter_list woken = {0};
	int64_t next_us = INT64_MAX;

	(void)pthread_mutex_lock(&flights->lock);
	int64_t now_us = now_of(flights);
	while (flights->timers.count > 0) {
		struct heap_timer *timer = flights->timers.slots[1];

		if (timer->at_us > now_us) {
			next_us = timer->at_us;
			break;
		}
		char *base = (char *)timer;
		struct flight *flight = (void *)(base - offsetof(struct flight, timer));
		if (timer->kind == TIMER_OF_WAITER)
			flight_drop_waiter(flights,
					   (void *)(base - offsetof(struct flight_waiter, timer)),
					   FLIGHT_TIMED_OUT, &woken);
		else if (flight->key.is_shared)
			flight_shared_expire(flights, flight, now_us, &woken);
		else
			flight_pass_on(flights, flight, &woken);
	}
	(void)pthread_mutex_unlock(&flights->lock);
	flight_wake_all(&woken);
	return next_us;
}
