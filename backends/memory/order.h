/* The order in which the entries of a shard would be evicted, and what is known of their
 * frequencies. The essay is in order.c. All functions: with the shard's lock held. */
#ifndef STEADYCACHE_MEMORY_ORDER_H
#define STEADYCACHE_MEMORY_ORDER_H

#include "backends/memory/classes.h"
#include "backends/memory/entry.h"
#include "store/backend.h"

struct order {
	enum eviction_policy policy;
	struct order_list list; /* of all entries, unless the policy is frecency */
	struct classes classes;
	uint64_t frequency_sum;
	bool unsorted; /* entries were restored; sorted before the next victim */
};

void order_init(struct order *order, enum eviction_policy policy);
void order_deinit(struct order *order);

/* Allocates what order_add needs. False: out of memory. */
bool order_prepare(struct order *order);

/* A new entry (frequency 1), with its last access and stamp set. */
void order_add(struct order *order, struct entry *entry);
/* As order_add, for an entry of any frequency and times. Where memory for its frequency lacks, that
 * becomes 1. */
void order_restore(struct order *order, struct entry *entry);
void order_remove(struct order *order, struct entry *entry);

/* Counts a use. Where memory for another frequency lacks, the frequency stays as it was. */
void order_use(struct order *order, struct entry *entry, int64_t now_us);

/* Puts `fresh`, a copy of `entry` in all but its address, in its place. */
void order_swap(struct order *order, struct entry *entry, struct entry *fresh);

/* Threads all entries anew; n log n, no memory. */
void order_set_policy(struct order *order, enum eviction_policy policy);

/* The next victim of this shard: the first in the order that is not pinned. NULL: none. */
struct entry *order_candidate(struct order *order, int64_t now_us);

/* Whether `a` is evicted before `b`. */
bool order_precedes(enum eviction_policy policy, const struct entry *a, const struct entry *b,
		    int64_t now_us);

/* 0 where there is no entry. */
uint32_t order_max_frequency(const struct order *order);

#endif
