/* What the eviction orders know of one entry.
 *
 * A store embeds a node at the front of each of its entries, so that a cast finds the entry of a
 * node. The node belongs to the order from order_add to order_remove; the store may read it, and
 * may write only `pinned` and `owner_flags`.
 *
 * It has 40 bytes on a 64-bit machine; each byte counts in a store of millions of entries. */
#ifndef STEADYCACHE_POLICY_ORDER_NODE_H
#define STEADYCACHE_POLICY_ORDER_NODE_H

#include <stdbool.h>
#include <stdint.h>

struct order_node {
	/* Neighbours in a list of the order. Out of the order they belong to the store. */
	struct order_node *prev, *next;
	/* Set both before order_add. Stamps increase with creation; of entries that were used in
	 * the same microsecond the one with the smaller stamp goes first. */
	int64_t last_access_us;
	uint64_t stamp;
	uint32_t frequency;  /* uses, including creation: 1 and more */
	bool pinned;         /* order_candidate skips it */
	uint8_t owner_flags; /* the store's own; the order neither reads nor writes them */
};

/* Linked by prev and next. */
struct order_list {
	struct order_node *head, *tail; /* the head goes first */
};

#endif
