/* What the files of a Cluster share (cluster.c, slot_map.c, route.c). I/O thread. */
#ifndef STEADYCACHE_REDIS_CLUSTER_STATE_H
#define STEADYCACHE_REDIS_CLUSTER_STATE_H

#include "backends/redis/gates.h"
#include "backends/redis/members.h"
#include "backends/redis/redirect.h"

struct redis_slot {
	struct redis_node *owner; /* NULL: unknown */
	struct redis_node *at;    /* where what has a lane is under way */
	unsigned in_order;        /* how many such are */
};

struct redis_cluster {
	struct redis_node_config *config;
	int64_t timeout_us; /* of operations */
	struct redis_members members;
	struct redis_slot slots[REDIS_SLOTS];
	struct redis_gates gates;
	struct redis_exchange_list waiting; /* for the owner of their slot to be known */
	struct redis_exchange_list refused; /* end in the next turn */
	bool has_ended;                     /* a request, in this turn */

	/* The slot map. */
	bool is_mapped;              /* it was read once */
	bool is_old;                 /* something said so */
	bool is_asked_for;           /* a node was asked */
	int64_t look_us;             /* when it may be looked at next */
	unsigned looks_failed;       /* in a row */
	enum remote_failure failure; /* of the last of them */
	char refusal[200];           /* of the last that was refused; "": none was */
};

#endif
