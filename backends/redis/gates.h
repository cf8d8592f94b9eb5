/* Requests of slots of a Cluster in trouble. A gate holds those of one slot, in the order of their
 * submission: one of them, the scout, is tried, and when it was served, all others follow. So
 * nothing is overtaken, and a node that cannot serve is asked once a pause. Plain data. I/O thread.
 */
#ifndef STEADYCACHE_REDIS_GATES_H
#define STEADYCACHE_REDIS_GATES_H

#include "backends/redis/exchange.h"

struct redis_gate {
	struct redis_gate *next;
	unsigned slot;
	struct redis_exchange_list held;
	bool has_scout;           /* one is under way */
	unsigned tries;           /* that failed */
	const char *reason;       /* of that; static */
	int64_t since_us, due_us; /* the next try, at the earliest; monotonic */
};

struct redis_gates {
	struct redis_gate *first;
	uint64_t random;
};

/* NULL: there is none. */
struct redis_gate *redis_gates_find(const struct redis_gates *gates, unsigned slot);

/* The gate of `slot`, a new one with a try due at once if need be. NULL: out of memory. */
struct redis_gate *redis_gates_get(struct redis_gates *gates, unsigned slot, int64_t now_us);

/* A try failed: the next one comes later, by 5 to 200 ms. */
void redis_gates_pause(struct redis_gates *gates, struct redis_gate *gate, const char *reason,
		       int64_t now_us);

/* Takes the gate away and moves what it held to `ret`. */
void redis_gates_open(struct redis_gates *gates, struct redis_gate *gate,
		      struct redis_exchange_list *ret);

#endif
