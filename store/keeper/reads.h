/* GET and EXISTS. With the gate held for reading, so that a batch is seen whole. */
#ifndef STEADYCACHE_KEEPER_READS_H
#define STEADYCACHE_KEEPER_READS_H

#include "store/keeper/keeper_state.h"

/* Returns the status of the op. *ret_lost becomes true if the driver has lost the value of an
 * entry, which is a miss: then call keeper_reads_drop_lost. */
enum cache_status keeper_reads_get(struct keeper *keeper, struct cache_op *op, int64_t now_us,
				   bool *ret_lost);
enum cache_status keeper_reads_exists(struct keeper *keeper, struct cache_op *op, int64_t now_us);

/* Removes entries of a GET whose values the driver has lost, if that is still so. With the gate
 * held for writing. */
void keeper_reads_drop_lost(struct keeper *keeper, const struct cache_op *op);

/* The body that the driver has of an entry, malloc'ed. CACHE_OK, or as a GET of it would fail. */
enum cache_status keeper_reads_body(struct keeper *keeper, struct slice ns,
				    const struct keeper_entry *entry, char **ret);

#endif
