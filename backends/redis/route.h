/* Where requests to a Cluster go, and where they wait: at the owner of their slot, for an owner to
 * be known, or in a gate. For the files of a Cluster. */
#ifndef STEADYCACHE_REDIS_ROUTE_H
#define STEADYCACHE_REDIS_ROUTE_H

#include "backends/redis/cluster_state.h"

/* Sends a request, or has it wait. `is_new`: it ends instead, in the next turn, where too many wait
 * already, or have waited for too long. */
void redis_route_carry(struct redis_cluster *cluster, struct redis_exchange *exchange, bool is_new);

/* The same for all that waits, where the owner of a slot may be another one by now. */
void redis_route_carry_again(struct redis_cluster *cluster);

/* Hands it to a node, and to the owner of its slot. */
void redis_route_give(struct redis_node *node, struct redis_exchange *exchange);
void redis_route_give_to_owner(struct redis_slot *slot, struct redis_exchange *exchange);

/* It is under way no longer, at the owner of its slot. */
void redis_route_uncount(struct redis_cluster *cluster, struct redis_exchange *exchange);

/* ---- Gates ---- */

/* A scout came back, if it is one: its gate, which may try again. NULL: it is none. */
struct redis_gate *redis_route_scout_is_back(struct redis_cluster *cluster,
					     struct redis_exchange *exchange);

/* All that a gate holds goes on. */
void redis_route_open_gate(struct redis_cluster *cluster, struct redis_gate *gate);

/* Has a request wait in the gate of its slot. `pauses`: because it could not be served, for
 * `reason`; else because of what is under way. */
void redis_route_hold_back(struct redis_cluster *cluster, struct redis_exchange *exchange,
			   const char *reason, bool pauses);

/* Whether the next try of a gate waits for nothing but time. */
bool redis_route_may_try(const struct redis_cluster *cluster, const struct redis_gate *gate);
/* Takes the tries that are due. */
void redis_route_try_gates(struct redis_cluster *cluster, int64_t now_us);

/* ---- Ends ---- */

void redis_route_end(struct redis_cluster *cluster, struct redis_exchange *exchange,
		     enum remote_failure failure, bool is_partial);
void redis_route_refuse(struct redis_cluster *cluster, struct redis_exchange *exchange,
			struct slice text, bool is_partial);

/* Ends what waits in `list` and whose time is over: with the error `reason`, or if that is empty
 * as without a connection. */
void redis_route_end_late(struct redis_cluster *cluster, struct redis_exchange_list *list,
			  struct slice reason, int64_t now_us);

/* Whether a master other than `node` answers, so that a failure of this one is partial. */
bool redis_route_others_answer(const struct redis_cluster *cluster, const struct redis_node *node);

#endif
