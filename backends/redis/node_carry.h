/* Which connection of a node carries what. For node.c. */
#ifndef STEADYCACHE_REDIS_NODE_CARRY_H
#define STEADYCACHE_REDIS_NODE_CARRY_H

#include "backends/redis/node.h"

/* The first ready connection that is not full: what goes together shares system calls. One that a
 * lane goes over only if there is no other, as writes take longer than reads. If all are full, the
 * one with the least before it. NULL: none is ready. */
struct redis_connection *redis_node_carry_choose(const struct redis_node *node);
/* Whether another one would be of use beside the one that was chosen. */
bool redis_node_carry_is_busy(const struct redis_node *node,
			      const struct redis_connection *connection);

/* redis_node_carry */
void redis_node_carry_one(struct redis_node *node, struct redis_exchange *exchange);

/* Tries again what waits for a connection, or for its lane. */
void redis_node_carry_waiting(struct redis_node *node);

/* The lanes of a connection that ends go over others. */
void redis_node_carry_free_lanes(struct redis_node *node,
				 const struct redis_connection *connection);

/* Has the server load the script, before anything that is carried later. */
void redis_node_carry_script(struct redis_connection *connection);

/* Has the server forget connections that broke, before anything else goes over this one. */
void redis_node_carry_kills(struct redis_node *node, struct redis_connection *connection);
/* Remembers that `connection` is about to break, if the server may have something of it to do. */
void redis_node_carry_remember(struct redis_node *node, const struct redis_connection *connection);

#endif
