/* SCAN, with the gate held for reading, and STATS, with the gate held for writing: statistics first
 * remove expired entries, as far as that is quick. */
#ifndef STEADYCACHE_KEEPER_LISTING_H
#define STEADYCACHE_KEEPER_LISTING_H

#include "store/keeper/keeper_state.h"

enum cache_status keeper_listing_scan(struct keeper *keeper, struct cache_op *op, int64_t now_us);
enum cache_status keeper_listing_stats(struct keeper *keeper, struct cache_op *op, int64_t now_us);

#endif
