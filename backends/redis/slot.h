/* Hash slots of a Redis Cluster: where a key lives, and the hash tags by which the partitions of a
 * namespace spread evenly over the slots. Pure. */
#ifndef STEADYCACHE_REDIS_SLOT_H
#define STEADYCACHE_REDIS_SLOT_H

#include "base/slice.h"

#define REDIS_SLOTS 16384

/* The slot of `bytes` as a whole: of a hash tag without its braces, or of a key that has none. */
unsigned redis_slot_of(struct slice bytes);

/* The first slot of partition `index` of `count`, 1..REDIS_SLOTS; with index == count the end of
 * the last one. */
static inline unsigned redis_slot_begin(unsigned index, unsigned count)
{
	return index * REDIS_SLOTS / count;
}

/* The smallest number S for which "NAME:INDEX.S" lies among the slots of partition `index` of
 * `count`; *ret_slot is where. */
unsigned redis_slot_pick(struct slice name, unsigned index, unsigned count, unsigned *ret_slot);

/* The partition of a key, 0..count - 1. */
unsigned redis_slot_part_of(struct slice key, unsigned count);

#endif
