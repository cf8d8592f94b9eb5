/* How a server is. I/O thread. */
#ifndef STEADYCACHE_REDIS_NODE_STATE_H
#define STEADYCACHE_REDIS_NODE_STATE_H

#include "backends/redis/node.h"

/* Whether the process `run_id` of the server may be the one that is asked; "": unknown. */
bool redis_node_may_be(const struct redis_node *node, const char *run_id);
/* Whether something may be sent at once. */
bool redis_node_is_ready(const struct redis_node *node);
/* Whether something that was sent has been without an answer for a second. */
bool redis_node_hangs(const struct redis_node *node, int64_t now_us);
/* Whether it has nothing to do. */
bool redis_node_is_idle(const struct redis_node *node);

/* Of several. */
struct redis_node_sum {
	unsigned servers, down, connections; /* connections that are ready */
	int64_t memory_used, memory_max;     /* bytes */
	int64_t fullest_percent;             /* memory_used of the fullest, of its memory_max */
	bool is_unbounded;                   /* one has no memory_max */
};
void redis_node_sum(const struct redis_node *node, struct redis_node_sum *sum);

#endif
