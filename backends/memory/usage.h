/* What entries use, counted against the limits: of a namespace, or of the whole backend.
 *
 * A set adds before it stores, and only what a limit allows (usage_grow); a removal subtracts with
 * its shard's lock held. So a limit holds at every moment, whatever other shards do. With the locks
 * of all shards held, the numbers of a namespace stand still and match its entries. */
#ifndef STEADYCACHE_MEMORY_USAGE_H
#define STEADYCACHE_MEMORY_USAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/invariant.h"

typedef _Atomic uint64_t usage_counter;

struct usage {
	usage_counter entry_count;
	usage_counter used_bytes;   /* what counts against max_size_bytes */
	usage_counter memory_bytes; /* with all overhead */
	usage_counter expiring;     /* entries with a TTL */
};

static inline uint64_t usage_read(const usage_counter *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Returns the previous value. */
static inline uint64_t usage_add(usage_counter *counter, uint64_t n)
{
	return atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void usage_subtract(usage_counter *counter, uint64_t n)
{
	uint64_t before = atomic_fetch_sub_explicit(counter, n, memory_order_relaxed);

	INVARIANT(before >= n);
	(void)before;
}

/* Whether `growth`, negative or not, stays within `max`. Shrinking always does. */
static inline bool usage_fits(const usage_counter *counter, int64_t growth, uint64_t max)
{
	uint64_t now = usage_read(counter);

	return growth <= 0 || (now <= max && (uint64_t)growth <= max - now);
}

/* Adds `growth` if it fits. Nobody else can take the room between the check and the addition. */
static inline bool usage_grow(usage_counter *counter, int64_t growth, uint64_t max)
{
	uint64_t now = usage_read(counter);

	if (growth <= 0) {
		usage_subtract(counter, (uint64_t)-growth);
		return true;
	}
	do {
		if (now > max || (uint64_t)growth > max - now)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		counter, &now, now + (uint64_t)growth, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* Undoes what usage_grow added or subtracted. */
static inline void usage_undo(usage_counter *counter, int64_t growth)
{
	(void)atomic_fetch_sub_explicit(counter, (uint64_t)growth, memory_order_relaxed);
}

#endif
