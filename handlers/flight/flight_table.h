/* The table of single flight, for flight.c: the work done under its lock.
 *
 * The table owns its flights; waiters and owners belong to their callers. All functions but
 * flight_wake_all, flight_make_token and flight_is_token_of need the lock held. */
#ifndef STEADYCACHE_HANDLERS_FLIGHT_TABLE_H
#define STEADYCACHE_HANDLERS_FLIGHT_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "handlers/flight/flight.h"

#define FLIGHT_STRIPES 1024
#define FLIGHT_BUCKETS 16384

/* What a timer is part of. */
enum timer_kind { TIMER_OF_WAITER, TIMER_OF_LEASE };

struct waiter_list {
	struct flight_waiter *first, *last;
};

/* A key with a lease out on it, or with waiters. */
struct flight {
	struct flight_key key;
	struct flight *bucket_next;
	char token[LEASE_TOKEN_LEN + 1]; /* of the lease; empty: none is out */
	struct heap_timer timer;         /* its lapse */
	struct flight_owner *owner;      /* the connection that the lease is bound to, or NULL */
	struct flight *owner_next, *owner_previous;
	struct waiter_list heirs;    /* waiters that want the lease, in order of arrival; a lease is
				      * out */
	struct waiter_list watchers; /* waiters that do not */
};

struct flights {
	struct flights_config config;
	uint64_t seed;
	/* Visits and flights: if there are none, a set has nothing to do here. */
	atomic_size_t interest;
	atomic_uint_fast64_t stripes[FLIGHT_STRIPES];

	pthread_mutex_t lock; /* guards the members below, and all owners and parked waiters */
	bool stopped;
	size_t lease_count, waiting_count;
	struct timer_heap timers;
	struct flight *buckets[FLIGHT_BUCKETS];
};

/* Where the pointer to the key's flight is, or the end of its bucket. */
static inline struct flight **flight_find_place(struct flights *flights, struct flight_key key)
{
	struct flight **place = &flights->buckets[key.low % FLIGHT_BUCKETS];

	while (*place && ((*place)->key.low != key.low || (*place)->key.high != key.high))
		place = &(*place)->bucket_next;
	return place;
}

/* The flight at `place`, which flight_find_place returned; a new one if there is none. NULL: out of
 * memory. */
struct flight *flight_open(struct flights *flights, struct flight **place, struct flight_key key);
/* Ends the lease and all waiting for it, and frees the flight. */
void flight_finish(struct flights *flights, struct flight *flight, enum flight_end end,
		   struct waiter_list *woken);

/* Gives the lease to `waiter`. None may be out, and there must be room for its timer
 * (timer_heap_reserve). */
void flight_grant(struct flights *flights, struct flight *flight, struct flight_waiter *waiter);
/* The lease ends without a value: the first waiter that wants it gets it. If none does and nobody
 * waits, the flight is freed. */
void flight_pass_on(struct flights *flights, struct flight *flight, struct waiter_list *woken);
/* Makes a new token, LEASE_TOKEN_LEN characters; whether `token` was ever given for `key`. */
void flight_make_token(const struct flights *flights, struct flight_key key,
		       char token[static LEASE_TOKEN_LEN + 1]);
bool flight_is_token_of(const struct flights *flights, struct flight_key key, const char *token);

/* Parks `waiter`, which may wait and for whose timer there is room, with the flight. */
void flight_park(struct flights *flights, struct flight *flight, struct flight_waiter *waiter);
/* Removes one waiter, and its flight if nobody else takes part in it. */
void flight_drop_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
			struct waiter_list *woken);
/* Calls back all in `woken`, in order. Call it without the lock. */
void flight_wake_all(struct waiter_list *woken);

#endif
