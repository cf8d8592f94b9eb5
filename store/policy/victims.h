/* The next victim under frecency: the first of the heads of all frequency classes.
 *
 * Invariant, which policy_order_check (check.h) tests: if a block of classes is known at a moment,
 * its `first` is the head of a class of the block, and no head of the block scores less at that
 * moment.
 *
 * Source: a kinetic tournament (Basch, Guibas, Hershberger, 1999) of two rounds, explained in
 * victims.c. Threads: as order.h. */
#ifndef STEADYCACHE_POLICY_VICTIMS_H
#define STEADYCACHE_POLICY_VICTIMS_H

#include "store/policy/classes.h"

/* Negative: `a` scores less than `b` at `now_us`; positive: more. A score is the frequency divided
 * by 1 + the seconds since the last access. */
int victims_compare(const struct order_node *a, const struct order_node *b, int64_t now_us);

/* The first of a list that is not pinned. NULL: none. */
struct order_node *victims_first_of(const struct order_list *list);

/* The head that scores least, among equals the one that was used first. If a head is pinned, the
 * next of its class stands for it. NULL: none. */
struct order_node *victims_first(struct classes *classes, int64_t now_us);

/* Report these changes after a search, if classes->is_searched: `node` has become the head of its
 * class, ... */
void victims_came(struct classes *classes, struct order_node *node);
/* ... or was one, and has been removed. Its frequency is still that of the class. */
void victims_gone(struct classes *classes, const struct order_node *node);
/* All lists have changed. */
void victims_forget(struct classes *classes);

#endif
