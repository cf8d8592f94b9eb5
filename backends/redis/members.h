/* The nodes of a Cluster that this server knows: masters, and those that the URL names. I/O thread.
 */
#ifndef STEADYCACHE_REDIS_MEMBERS_H
#define STEADYCACHE_REDIS_MEMBERS_H

#include "backends/redis/node.h"

struct redis_members {
	const struct redis_node_config *config;
	struct redis_node **list;
	size_t count, capacity;
	size_t asked; /* the last that redis_members_to_ask chose */
};

/* Also finds those that the URL names. False: out of memory; deinit it still. */
bool redis_members_init(struct redis_members *members, const struct redis_node_config *config);
void redis_members_deinit(struct redis_members *members);

/* The node at `host` (empty: `fallback`) and `port`, a new one if need be. NULL: out of memory, or
 * there are too many. */
struct redis_node *redis_members_get(struct redis_members *members, struct slice host,
				     const char *fallback, unsigned port);

/* A master for what any can do; the healthy first. NULL: none is known. */
struct redis_node *redis_members_any(const struct redis_members *members, int64_t now_us);

/* The next to ask for the slot map: those that answer go first, and take turns. */
struct redis_node *redis_members_to_ask(struct redis_members *members, int64_t now_us);

/* Whether a master other than `except` is ready and answers. */
bool redis_members_answer(const struct redis_members *members, const struct redis_node *except,
			  int64_t now_us);

/* Whether some master cannot be reached, or hangs. */
bool redis_members_are_troubled(const struct redis_members *members, int64_t now_us);

/* Ends the connections of what has been of no use for a second, and of what was a master until then
 * and hangs. With events. */
void redis_members_retire(struct redis_members *members, int64_t now_us);

#endif
