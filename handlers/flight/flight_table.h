/* The table of single flight, for flight.c: the work done under its lock.
 *
 * The table owns its flights; waiters and owners belong to their callers. All functions but
 * flight_wake_all, flight_seen and those of tokens need the lock held. */
#ifndef STEADYCACHE_HANDLERS_FLIGHT_TABLE_H
#define STEADYCACHE_HANDLERS_FLIGHT_TABLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "handlers/flight/flight.h"
#include "handlers/flight/lease_end.h"

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

	/* Where leases are the store's (flight_shared.c). The timer then always runs. */
	int64_t lapses_us;           /* the lease of `token` */
	struct lease_end *bound;     /* ends it when `owner` closes */
	bool is_held;                /* the store said so: somebody has the lease ... */
	int64_t held_until_us;       /* ... until then at most */
	int64_t look_us;             /* when the store is asked again for those who wait */
	struct flight_waiter *asker; /* asks the store now, or is to; not parked. NULL: nobody */
	bool is_outdated;            /* something was heard since then */
};

struct flights {
	struct flights_config config;
	uint64_t seed; /* of keys */
	/* Visits and flights: if there are none, a set has nothing to do here. */
	atomic_size_t interest;
	atomic_uint_fast64_t stripes[FLIGHT_STRIPES];
	atomic_uint_fast64_t gaps; /* news that may have been missed */

	pthread_mutex_t lock; /* guards the members below, and all owners and parked waiters */
	bool stopped;
	size_t lease_count, waiting_count;
	size_t ends; /* of leases, on their way to the store */
	pthread_cond_t ends_are_over;
	struct timer_heap timers;
	struct flight *buckets[FLIGHT_BUCKETS];
};

/* What flight_look notes: it changes with every set of the key, and only grows. */
static inline uint64_t flight_seen(struct flights *flights, struct flight_key key)
{
	return atomic_load(&flights->stripes[key.low % FLIGHT_STRIPES]) +
	       atomic_load(&flights->gaps);
}

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
/* Ends the lease that a client has, as far as the table knows. */
void flight_end_lease(struct flights *flights, struct flight *flight);
/* Binds the lease that was just given to `waiter` to its connection. */
void flight_bind_lease(struct flight *flight, struct flight_waiter *waiter);
/* Frees a flight that nobody takes part in any more. */
void flight_close_if_idle(struct flights *flights, struct flight *flight);
/* There is room (timer_heap_reserve). */
void flight_start_timer(struct flights *flights, struct heap_timer *timer, int64_t at_us,
			enum timer_kind kind);

struct flight_key flight_hash_key(uint64_t seed, struct slice ns, struct slice key);
/* Makes a new token, LEASE_TOKEN_LEN characters; whether `token` was ever given for `key`, which
 * is that of flight_key_of, or, where leases are shared, hashed with FLIGHT_SHARED_SEED: the same
 * at all servers that share them. */
#define FLIGHT_SHARED_SEED UINT64_C(0)
void flight_make_token(const struct flights *flights, struct flight_key key,
		       char token[static LEASE_TOKEN_LEN + 1]);
bool flight_is_token_of(const struct flights *flights, struct flight_key key, const char *token);

/* Removes a parked waiter from all lists and adds it to `woken`. */
void flight_end_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
		       struct waiter_list *woken);
void flight_end_waiters(struct flights *flights, struct flight *flight, enum flight_end end,
			struct waiter_list *woken);
/* Parks `waiter`, which may wait and for whose timer there is room, with the flight. */
void flight_park(struct flights *flights, struct flight *flight, struct flight_waiter *waiter);
/* The same before all others. */
void flight_park_first(struct flights *flights, struct flight *flight,
		       struct flight_waiter *waiter);
/* Removes one waiter, and its flight if nobody else takes part in it. */
void flight_drop_waiter(struct flights *flights, struct flight_waiter *waiter, enum flight_end end,
			struct waiter_list *woken);
/* Calls back all in `woken`, in order. Call it without the lock. */
void flight_wake_all(struct waiter_list *woken);

#endif
