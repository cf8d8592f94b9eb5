/* Spilling: in a store with a copy elsewhere (mirror.h) an entry whose value the copy has may give
 * up its bytes. A head stays, which has everything else; so conditions, listings, accounts and the
 * order of eviction do not notice.
 *
 * The victims are those of a clock (second chance): each shard has a hand that goes round its
 * table. An entry that was used since the hand last passed it stays for another round. That is
 * nearly the order of least recent use, whatever the policy of the namespace is, and costs one bit
 * an entry. */
#ifndef STEADYCACHE_MEMORY_SPILL_H
#define STEADYCACHE_MEMORY_SPILL_H

#include "backends/memory/namespace.h"

/* Spills until all entries together use at most `goal_bytes` of memory, or nothing is left that
 * could be spilled. Returns how many it has spilled. Call it with no lock held. */
size_t spill_some(struct namespaces *all, uint64_t goal_bytes);

/* Whether there is something that is not saved yet. */
bool spill_waits(const struct namespaces *all);

/* Whether values give up `bytes` or more once all is saved, or some can do so now. */
bool spill_will_free(const struct namespaces *all, uint64_t bytes);

#endif
