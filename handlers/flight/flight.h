/* Single flight: leases on keys that somebody is computing, and the requests that wait for them.
 *
 * One table for the server. It knows keys only while a lease is out on them or somebody waits for
 * them. All who wait are woken by the value: any successful set of the key. Where a lease ends
 * without it, by release, by lapse, or with the connection that it is bound to, the first of those
 * who wait and want the lease is woken with it. Nothing here reads or writes the store: one who is
 * woken reads again, and what he finds decides.
 *
 * The races, and what settles each:
 *
 *   The value arrives between a miss and the parking. Every set that succeeds while anybody is
 *   interested moves a counter (one of FLIGHT_STRIPES, by the key's hash). A visit notes the
 *   counter before it reads; flight_join compares under the lock, and says FLIGHT_READ_AGAIN where
 *   it has moved. A set that sees nobody interested came before the visit's read, which so finds
 *   the value.
 *   The lease lapses while its holder's set is under way. The set is stored all the same and wakes
 *   those who wait; the next holder, if there is one, has computed in vain or finds the value.
 *   A waiter is ended by two at once (value, time, release, closing). Under the lock one of them
 *   takes it off the lists; the others do not find it any more. It is called back without the lock,
 *   as the last touch of its memory.
 *   A lease is given to one who has left. He is asked whether he is still there when he is about to
 *   answer, and once more when the answer has gone out or failed (single_flight.c); the lease goes
 *   on to the next then.
 *
 * Keys are kept as 128 bits of a seeded hash. Two keys that collided would wait for each other, no
 * more: values are read by key. */
#ifndef STEADYCACHE_HANDLERS_FLIGHT_H
#define STEADYCACHE_HANDLERS_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/flight/timer_heap.h"
#include "store/backend.h"

/* 64 random bits and a tag of 64, in hex. */
#define LEASE_TOKEN_LEN 32
/* Leases out at once. */
#define FLIGHT_LEASES_MAX 100000

struct flights;
struct flight;

/* A connection: what ends when it ends. Zeroed by its owner; else the table's. */
struct flight_owner {
	struct flight *leases; /* bound to it */
	struct flight_waiter *waiting;
};

struct flight_key {
	uint64_t low, high;
};

/* Why a waiter was called back. */
enum flight_end {
	FLIGHT_VALUE,   /* the value came */
	FLIGHT_GRANTED, /* the lease is his: token */
	FLIGHT_TIMED_OUT,
	FLIGHT_LEFT,    /* his connection has ended */
	FLIGHT_STOPPED, /* the server stops */
};

/* One request's part. Filled by the caller down to `user`, but for `seen`; must stay where it is
 * while parked. */
struct flight_waiter {
	struct flight_key key;      /* flight_key_of */
	int64_t wait_until_us;      /* monotonic; 0: does not wait */
	int64_t lease_us;           /* 0: does not want the lease */
	bool bind;                  /* the lease is to end with `owner` */
	struct flight_owner *owner; /* NULL: none */
	uint64_t seen;              /* flight_look */
	void (*wake)(struct flight_waiter *waiter);
	void *user;
	/* out */
	enum flight_end end;
	char token[LEASE_TOKEN_LEN + 1];
	/* the table's */
	struct flight *flight; /* while parked */
	struct flight_waiter *next, *previous;
	struct heap_timer timer;
};

enum flight_answer {
	FLIGHT_MISS,       /* no lease to be had, and no (more) time to wait */
	FLIGHT_LEASE,      /* the lease is the caller's: token */
	FLIGHT_PARKED,     /* `wake` will be called, exactly once, from any thread */
	FLIGHT_READ_AGAIN, /* a value came meanwhile */
	FLIGHT_STOPPING,
	FLIGHT_FULL,    /* too many leases, or no memory */
	FLIGHT_CROWDED, /* max_waiting wait already */
};

struct flights_config {
	const struct cache_clock *clock; /* monotonic; lives as long as the table */
	/* Called, under the table's lock, when flight_expire is due sooner than it said. May be
	 * NULL. */
	void (*earlier)(void *user);
	void *user;
	size_t max_waiting; /* requests parked at once */
	/* The store keeps nothing: then nobody waits, and everybody gets a lease, which is not
	 * remembered. */
	bool keeps_nothing;
};

/* NULL: no memory. */
struct flights *flights_create(const struct flights_config *config);
/* Nobody may be parked. NULL is fine. */
void flights_destroy(struct flights *flights);
/* How many requests wait, and how many leases are out. */
void flights_count(struct flights *flights, size_t *ret_waiting, size_t *ret_leases);
/* Wakes all who wait; from now on nobody waits or gets a lease. */
void flights_stop(struct flights *flights);

struct flight_key flight_key_of(const struct flights *flights, struct slice ns, struct slice key);

/* Between these the table hears of sets. To be called before the first read, and at the end. */
void flight_visit_begin(struct flights *flights);
void flight_visit_end(struct flights *flights);
/* Before every read: notes what flight_join compares. */
void flight_look(struct flights *flights, struct flight_waiter *waiter);
/* After a miss. */
enum flight_answer flight_join(struct flights *flights, struct flight_waiter *waiter);

/* A set of one or many keys has succeeded. */
void flight_value_came(struct flights *flights, const struct cache_op *op);
enum flight_release {
	RELEASE_DONE,
	RELEASE_OVER,    /* the lease was not out any more */
	RELEASE_UNKNOWN, /* this table never gave that token for that key */
};

/* Ends the lease `token` on `key` where it is still out. */
enum flight_release flight_release(struct flights *flights, struct flight_key key,
				   const char *token);
/* The client of `owner` has left: it waits no more. */
void flight_owner_left(struct flights *flights, struct flight_owner *owner);
/* The connection is closed: its bound leases end too. */
void flight_owner_closed(struct flights *flights, struct flight_owner *owner);

/* Ends what is over. The result is when to call again, INT64_MAX: not before `earlier` is called.
 */
int64_t flight_expire(struct flights *flights);

#endif
