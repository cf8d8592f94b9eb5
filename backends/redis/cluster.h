/* Requests to the nodes of a Redis Cluster.
 *
 * - A request goes to the master of its slot (remote_request.route), by a map that any node tells
 *   (CLUSTER SLOTS). The map is looked at again when a node says that it is old, or when a master
 *   cannot be reached, breaks off or hangs: by one node at a time, at most every 50 ms.
 * - What a node sends elsewhere was not executed, and goes there: of a request of several commands
 *   those that were sent elsewhere alone. The replies are put together.
 * - What nobody can do at the moment (TRYAGAIN, CLUSTERDOWN, LOADING) is tried again until its time
 *   is over, with a pause, by one request of each slot (gates.h).
 * - Requests of one slot that have a lane reach whatever node in the order of their submission.
 * - What was not sent yet when its node cannot be reached waits for another master. If the whole
 *   Cluster cannot be reached, it ends.
 * - At most 128 requests wait in each such place; none waits for a master that has been away for
 *   as long as an operation may take.
 *
 * I/O thread. */
#ifndef STEADYCACHE_REDIS_CLUSTER_H
#define STEADYCACHE_REDIS_CLUSTER_H

#include <poll.h>

#include "backends/redis/exchange.h"

struct redis_cluster;
struct redis_address;
struct redis_endpoint;
struct redis_node_config;
struct redis_node_sum;

/* `config` outlives the cluster, which sets its events. NULL: out of memory. */
struct redis_cluster *redis_cluster_create(struct redis_node_config *config, int64_t timeout_us);
/* Drops all, without calling `done`. NULL is allowed. */
void redis_cluster_free(struct redis_cluster *cluster);

/* Takes an exchange of a request over. */
void redis_cluster_carry(struct redis_cluster *cluster, struct redis_exchange *exchange);

/* A node that is well, as far as is known, for a connection of one's own; valid until the next
 * turn. NULL: none is known. */
const struct redis_endpoint *redis_cluster_endpoint(const struct redis_cluster *cluster,
						    int64_t now_us);

/* Adds the masters that are known. */
void redis_cluster_sum(const struct redis_cluster *cluster, struct redis_node_sum *sum);

/* Whether the node at `address` is a master, or none is known. */
bool redis_cluster_has(const struct redis_cluster *cluster, const struct redis_address *address);

/* The three parts of a turn, as a node's. `prepare` says whether a request ended; `poll` fills
 * redis_cluster_connections places. */
bool redis_cluster_prepare(struct redis_cluster *cluster, int64_t now_us);
size_t redis_cluster_connections(const struct redis_cluster *cluster);
int64_t redis_cluster_poll(const struct redis_cluster *cluster, struct pollfd *ret, int64_t now_us);
void redis_cluster_go_on(struct redis_cluster *cluster, const struct pollfd *polled);

#endif
