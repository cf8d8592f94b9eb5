/* The order in which entries are evicted: exact, with constant work per use, for each of the
 * policies. Nothing is allocated for an entry: it takes part with the node that it embeds.
 *
 * Invariants, which policy_order_check (check.h) tests:
 * - under FIFO and LRU every node is in `list`; under frecency it is in the list of its frequency
 *   class, and `list` is empty;
 * - each list is sorted by last access (FIFO: by stamp), unless `unsorted` is set or the clock of
 *   the caller ran backwards;
 * - a class counts the nodes of its frequency under every policy, and `frequency_sum` is the sum of
 *   all frequencies.
 *
 * Source: one list for each frequency, as in LFU with constant work (Ketan Shah, Anirban Mitra,
 * Dhruv Matani, 2010), combined with the tournament of victims.h. order.c explains it.
 *
 * Threads: calls on one order are made one at a time, under a lock of the caller; different orders
 * know nothing of each other. A store that is divided into parts keeps an order for each, and its
 * victim is the best of their candidates (order_precedes).
 *
 * Times are microseconds of any clock that does not run backwards. If it does, nothing breaks, but
 * the entries used meanwhile are ordered either by the readings or by the uses. */
#ifndef STEADYCACHE_POLICY_ORDER_H
#define STEADYCACHE_POLICY_ORDER_H

#include "store/backend.h"
#include "store/policy/classes.h"
#include "store/policy/order_node.h"

struct order {
	enum eviction_policy policy;
	struct order_list list; /* of all nodes, unless the policy is frecency */
	struct classes classes;
	uint64_t frequency_sum;
	bool unsorted; /* entries were restored; sort before the next victim */
};

/* Makes an empty order. order_deinit frees what it allocated and leaves the nodes alone. */
void order_init(struct order *order, enum eviction_policy policy);
void order_deinit(struct order *order);

/* Allocates what order_add needs; may be called again at any time. False: out of memory. */
bool order_prepare(struct order *order);

/* Adds a node of frequency 1 with its stamp and its last access, which must not be earlier than any
 * in the order. The order must be prepared. */
void order_add(struct order *order, struct order_node *node);
/* As order_add, for a node of any frequency and times. If there is no memory for its frequency,
 * that becomes 1. */
void order_restore(struct order *order, struct order_node *node);
void order_remove(struct order *order, struct order_node *node);

/* Counts a use. If there is no memory for another frequency, or at UINT32_MAX, the frequency stays
 * as it was. */
void order_use(struct order *order, struct order_node *node, int64_t now_us);

/* Puts `fresh` in the place of `node`, with its history; `pinned` and `owner_flags` of `fresh` stay
 * as they are. `node` is then out of the order. */
void order_swap(struct order *order, struct order_node *node, struct order_node *fresh);

/* Re-sorts all nodes for `policy`, if it changes. O(n log n), allocates nothing. EVICT_NONE is kept
 * as FIFO. */
void order_set_policy(struct order *order, enum eviction_policy policy);

/* The next victim: the first in the order that is not pinned. It stays in the order. NULL: none. */
struct order_node *order_candidate(struct order *order, int64_t now_us);

/* Whether `a` is evicted before `b`; they may be in different orders. */
bool order_precedes(enum eviction_policy policy, const struct order_node *a,
		    const struct order_node *b, int64_t now_us);

/* 0 if the order is empty. */
uint32_t order_max_frequency(const struct order *order);

#endif
