/* What the eviction orders know of one entry.
 *
 * A store embeds a node at the front of each of its entries, so that an entry is found by its node
 * with a cast. The node belongs to the order from order_add to order_remove; the store reads it,
 * writes `pinned` and `owner_flags`, and nothing else.
 *
 * 40 bytes on a 64-bit machine, of which a store of millions of entries feels each one. */
#ifndef STEADYCACHE_POLICY_ORDER_NODE_H
#define STEADYCACHE_POLICY_ORDER_NODE_H

#include <stdbool.h>
#include <stdint.h>

struct order_node {
	/* Neighbours in a list of the order. Out of the order they are the store's. */
	struct order_node *prev, *next;
	/* Both are set before order_add. Stamps rise with creation; of entries that were used in
	 * the same microsecond the one of the smaller stamp goes first. */
	int64_t last_access_us;
	uint64_t stamp;
	uint32_t frequency;  /* uses, creation included: 1 and more */
	bool pinned;         /* order_candidate passes over it */
	uint8_t owner_flags; /* the store's own; the order neither reads nor writes them */
};

/* Linked by prev and next. */
struct order_list {
	struct order_node *head, *tail; /* the head goes first */
};

#endif
