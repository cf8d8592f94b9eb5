/* Single flight where leases are the store's, for all servers that share it (BACKEND_LEASES).
 *
 * A server asks the store (LEASE_TAKE) once for all who wait for a key here: one of them has the
 * turn, and the others park behind it. What the store says is believed from then on: that somebody
 * has the lease until some time, or nobody. It is asked again when
 *
 * - that time is over, or the store told that the lease has ended (news, or our own LEASE_END),
 * - LOOK_AGAIN_US have passed: for what was told may be lost (where a Cluster passes messages on,
 *   nobody notices), and a store tells news of a key only for some time after it was asked.
 *
 * Values: a set by this server is told to the table as ever, one by another server is news, and the
 * store refuses a lease where there is a value (LEASE_FRESH): then all who wait read again. If news
 * may be missing, one asks for all. So a visit may miss no value: the store told of the key's news
 * since before the LEASE_TAKE that its flight relies on. A set before that is LEASE_FRESH, one
 * after it is news, which either moves what the visit has noted before its read, or finds it
 * parked.
 *
 * If the store cannot be asked, one who has just come is told so, and those behind it look for
 * themselves; who has waited already goes on until its time is over.
 *
 * The functions need the table's lock. `now_us` is its clock's. */
#ifndef STEADYCACHE_HANDLERS_FLIGHT_SHARED_H
#define STEADYCACHE_HANDLERS_FLIGHT_SHARED_H

#include "handlers/flight/flight_table.h"

/* Less than LEASE_HEARD_S by what an operation may take. */
#define LOOK_AGAIN_US (15 * US_PER_S)
/* The same where the store could not be asked. */
#define LOOK_AFTER_FAILURE_US (1 * US_PER_S)

/* What became of an ask: a lease that the store gave is the waiter's if the answer is FLIGHT_LEASE,
 * and then `bound` (to end it with, NULL: none) is the table's if the lease is bound. */
struct shared_ask {
	struct flight_waiter *waiter;
	const struct cache_op *op;
	struct lease_end *bound;
	int64_t now_us;
};

/* flight_join, flight_asked, flight_pass_turn. */
enum flight_answer flight_shared_join(struct flights *flights, struct flight_waiter *waiter,
				      int64_t now_us, struct waiter_list *woken);
enum flight_answer flight_shared_asked(struct flights *flights, struct shared_ask *ask,
				       struct waiter_list *woken);
void flight_shared_pass_turn(struct flights *flights, struct flight_waiter *waiter, int64_t now_us,
			     struct waiter_list *woken);

/* Parks a waiter that has found out that the store cannot be asked now. */
enum flight_answer flight_shared_go_on(struct flights *flights, struct flight_waiter *waiter,
				       int64_t now_us);

/* The lease `token` on the key is over, or another one that we do not know. */
void flight_shared_lease_over(struct flights *flights, struct flight_key key, struct slice token,
			      int64_t now_us, struct waiter_list *woken);
/* Another server stored a value. */
void flight_shared_written(struct flights *flights, struct flight_key key,
			   struct waiter_list *woken);
/* Nothing that was heard counts any more. */
void flight_shared_gap(struct flights *flights, int64_t now_us, struct waiter_list *woken);

/* The client of the lease gives it back, or has closed its connection: it is not out here any more,
 * and those who wait stay until the store has ended it. Returns what was bound; NULL: nothing. */
struct lease_end *flight_shared_drop(struct flights *flights, struct flight *flight);

/* The flight's timer has run out. */
void flight_shared_expire(struct flights *flights, struct flight *flight, int64_t now_us,
			  struct waiter_list *woken);

#endif
