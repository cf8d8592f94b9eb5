/* Which node has which slots of a Cluster: when that is asked, and of whom. For the files of a
 * Cluster. */
#ifndef STEADYCACHE_REDIS_SLOT_MAP_H
#define STEADYCACHE_REDIS_SLOT_MAP_H

#include "backends/redis/cluster_state.h"

/* Whether the map is worth a look: it is old, or there is none, or a master is away. */
bool redis_slot_map_is_wanted(const struct redis_cluster *cluster, int64_t now_us);

/* Asks a node for it; nobody else is asked meanwhile. */
void redis_slot_map_ask(struct redis_cluster *cluster, int64_t now_us);

/* Takes the reply, and sends on what waited for it. */
void redis_slot_map_read(struct redis_cluster *cluster, struct redis_node *node,
			 struct redis_exchange *exchange);

/* There was none. If no node tells it, all that waits ends. */
void redis_slot_map_failed(struct redis_cluster *cluster, enum remote_failure failure,
			   struct slice refusal);

/* A node has a slot. */
void redis_slot_map_add_master(struct redis_node *node, int64_t now_us);

#endif
