/* The next victim of a shard under frecency: the first of the heads of its frequency classes. The
 * essay is in victims.c. All functions: with the shard's lock held. */
#ifndef STEADYCACHE_MEMORY_VICTIMS_H
#define STEADYCACHE_MEMORY_VICTIMS_H

#include "backends/memory/classes.h"
#include "backends/memory/entry.h"

/* Negative: `a` scores less than `b` at `now_us`; positive: more. A score is the frequency divided
 * by 1 + the seconds since the last access. */
int frecency_compare(const struct entry *a, const struct entry *b, int64_t now_us);

/* The first of a list that is not pinned. NULL: none. */
struct entry *victims_first_of(const struct order_list *list);

/* The head that scores least, of several the one that was used first; no pinned entry: then the
 * next of its class stands for it. NULL: none. */
struct entry *victims_first(struct classes *classes, int64_t now_us);

/* To be told of what changes behind a search, where classes->is_searched: `entry` has become the
 * head of its class, ... */
void victims_came(struct classes *classes, struct entry *entry);
/* ... or was one, and has left. Its frequency is still that of the class. */
void victims_gone(struct classes *classes, const struct entry *entry);
/* All lists have changed. */
void victims_forget(struct classes *classes);

#endif
