/* Single flight: leases on keys that somebody is computing, and the requests that wait for them.
 *
 * There is one table for the server. It knows a key only while a lease is out on it or somebody
 * waits for it. The value, which is any successful set of the key, wakes all waiters. If a lease
 * ends without it (released, lapsed, or its connection closed), the first waiter that wants the
 * lease is woken with it. Nothing here reads or writes the store: a woken waiter reads the store
 * again, and that result counts.
 *
 * The races, and what settles each:
 *
 * - The value arrives between a miss and the parking. Every set that succeeds while anybody is
 *   interested increments a counter (one of FLIGHT_STRIPES, by the key's hash). A visit notes the
 *   counter before it reads; flight_join compares under the lock, and returns FLIGHT_READ_AGAIN if
 *   it has changed. A set that sees nobody interested came before the visit's read, which therefore
 *   finds the value.
 * - The lease lapses while its holder's set is in progress. The set is stored all the same and
 *   wakes the waiters; the next holder, if there is one, has computed in vain or finds the value.
 * - Two events end one waiter at the same time (value, time, release, closing). Under the lock one
 *   of them takes it off the lists; the others no longer find it. It is called back without the
 *   lock, which is the last access to its memory.
 * - A lease is given to a client that has disconnected. The new holder is checked before its answer
 *   is sent and again once the answer has gone out or failed (single_flight.c); if it is gone, the
 *   lease passes to the next waiter.
 *
 * Where several servers share a store that has leases (BACKEND_LEASES), a lease is the store's, and
 * the table knows it only by hearsay: flight_shared.h.
 *
 * Keys are kept as 128 bits of a seeded hash. Two keys that collided would wait for each other, but
 * no more than that: values are read by key. */
#ifndef STEADYCACHE_HANDLERS_FLIGHT_H
#define STEADYCACHE_HANDLERS_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/flight/timer_heap.h"
#include "store/backend.h"

/* 64 random bits and a tag of 64 bits, in hex. */
#define LEASE_TOKEN_LEN 32
/* Most leases out at once. */
#define FLIGHT_LEASES_MAX 100000

struct flights;
struct flight;

/* A connection: holds what ends with it. Its owner zeroes it; afterwards it belongs to the
 * table. */
struct flight_owner {
	struct flight *leases; /* bound to it */
	struct flight_waiter *waiting;
};

struct flight_key {
	uint64_t low, high;
	bool is_shared;     /* leases on it are the store's */
	bool keeps_nothing; /* the store, of the key's namespace */
};

/* Why a waiter was called back. */
enum flight_end {
	FLIGHT_VALUE,   /* the value was stored, or may have been */
	FLIGHT_GRANTED, /* it has the lease: token */
	FLIGHT_TURN,    /* it is to ask the store for the lease */
	FLIGHT_TIMED_OUT,
	FLIGHT_LEFT,    /* its connection has ended */
	FLIGHT_STOPPED, /* the server stops */
};

/* One request's part. The caller fills the members down to `user`, except `seen`. It must not move
 * while it is parked. */
struct flight_waiter {
	struct flight_key key;      /* flight_key_of */
	int64_t wait_until_us;      /* monotonic; 0: does not wait */
	int64_t lease_us;           /* 0: does not want the lease */
	bool bind;                  /* the lease ends with `owner` */
	struct flight_owner *owner; /* NULL: none */
	uint64_t seen;              /* flight_look */
	void (*wake)(struct flight_waiter *waiter);
	void *user;
	/* out */
	enum flight_end end;
	char token[LEASE_TOKEN_LEN + 1];
	bool has_turn; /* to ask the store: until flight_asked or flight_pass_turn */
	/* the table's */
	bool has_waited;
	struct flight *flight; /* while parked */
	struct flight_waiter *next, *previous;
	struct heap_timer timer;
};

enum flight_answer {
	FLIGHT_MISS,       /* no lease is available, and there is no (more) time to wait */
	FLIGHT_LEASE,      /* the caller has the lease: token */
	FLIGHT_PARKED,     /* `wake` will be called, exactly once, from any thread */
	FLIGHT_READ_AGAIN, /* a value was stored meanwhile */
	FLIGHT_ASK,        /* ask the store for the lease, then call flight_asked */
	FLIGHT_FAILED,     /* the store could not be asked: op->status */
	FLIGHT_STOPPING,
	FLIGHT_FULL,    /* too many leases, or no memory */
	FLIGHT_CROWDED, /* max_waiting requests already wait */
};

struct flights_config {
	const struct cache_clock *clock; /* monotonic; must outlive the table */
	/* Called, under the table's lock, if flight_expire is due sooner than it said. May be
	 * NULL. */
	void (*earlier)(void *user);
	void *user;
	size_t max_waiting; /* requests parked at once */
	/* Has the leases, for all servers that share it, on keys of namespaces with BACKEND_LEASES
	 * (backend_traits_of). NULL: this table has all of them. */
	struct backend *backend;
	/* The store keeps nothing: then nobody waits, and everybody gets a lease, which is not
	 * remembered. */
	bool keeps_nothing;
};

/* NULL: out of memory. */
struct flights *flights_create(const struct flights_config *config);
/* Nobody may be parked. Waits for what is still under way to the store. NULL is allowed. */
void flights_destroy(struct flights *flights);
/* How many requests wait, and how many leases are out. */
void flights_count(struct flights *flights, size_t *ret_waiting, size_t *ret_leases);
/* Wakes all waiters; from now on nobody waits or gets a lease. */
void flights_stop(struct flights *flights);

struct flight_key flight_key_of(const struct flights *flights, struct slice ns, struct slice key);

/* Between these two calls the table is told of sets. Call them before the first read, and at the
 * end. */
void flight_visit_begin(struct flights *flights);
void flight_visit_end(struct flights *flights);
/* Call it before every read, and before asking: notes what flight_join compares. */
void flight_look(struct flights *flights, struct flight_waiter *waiter);
/* Call it after a miss. */
enum flight_answer flight_join(struct flights *flights, struct flight_waiter *waiter);

/* Asking the store: a CACHE_OP_LEASE_TAKE, with a new token if `waiter` wants the lease, else
 * without one. flight_fill_ask fills the op, whose ns and key are set; `token` must live as long.
 * flight_asked is called once it is done, and answers as flight_join does. */
void flight_fill_ask(const struct flights *flights, const struct flight_waiter *waiter,
		     struct cache_op *op, char token[static LEASE_TOKEN_LEN + 1]);
enum flight_answer flight_asked(struct flights *flights, struct flight_waiter *waiter,
				const struct cache_op *op);
/* Call it after a read that failed, as the store could not be asked: FLIGHT_PARKED if the waiter
 * has waited before, and goes on. */
enum flight_answer flight_read_failed(struct flights *flights, struct flight_waiter *waiter);
/* In place of asking: the turn is the next waiter's. */
void flight_pass_turn(struct flights *flights, struct flight_waiter *waiter);

/* Call it when an operation on the store is done, whoever asked for it: a successful set of one or
 * many keys ends their flights, and so does the end of a lease. */
void flight_op_done(struct flights *flights, const struct cache_op *op);
/* A value was found on the key that nobody told of: all who wait read again. */
void flight_value_found(struct flights *flights, struct flight_key key);
/* backend_config.news. */
void flight_news(struct flights *flights, const struct cache_news *news);

enum flight_release {
	RELEASE_DONE,
	RELEASE_OVER,    /* the lease was already over */
	RELEASE_UNKNOWN, /* nobody ever gave that token for that key */
	RELEASE_ASK,     /* the store knows: ask it (CACHE_OP_LEASE_END) */
};

/* Ends the lease `token` on the key if it is still out, or says who can. */
enum flight_release flight_release(struct flights *flights, struct slice ns, struct slice key,
				   const char *token);
/* The same for a token that was given; the store is asked in the background. `wake` (NULL: none) is
 * called with `request` once that is done. False: it is done already, or there is no memory for it,
 * and nobody will be called. */
bool flight_give_back(struct flights *flights, struct slice ns, struct slice key, const char *token,
		      void (*wake)(void *user), void *user);
/* The client of `owner` has left: its requests stop waiting. */
void flight_owner_left(struct flights *flights, struct flight_owner *owner);
/* The connection is closed: its bound leases end too. */
void flight_owner_closed(struct flights *flights, struct flight_owner *owner);

/* Ends what is due. Returns when to call it again; INT64_MAX: not before `earlier` is called. */
int64_t flight_expire(struct flights *flights);

#endif
