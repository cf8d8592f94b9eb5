/* Each operation from the gate to its completion, on the caller's thread. No lock is held when
 * `done` runs. */
#ifndef STEADYCACHE_KEEPER_OPS_H
#define STEADYCACHE_KEEPER_OPS_H

#include "store/op_queue.h"

struct keeper;

/* Whether keeper_ops_read runs `op`: GET, EXISTS, SCAN, CHECK. */
bool keeper_ops_is_read(const struct cache_op *op);
void keeper_ops_read(struct keeper *keeper, struct cache_op *op);

/* Whether keeper_ops_write_group runs `op`: SET, DELETE. */
bool keeper_ops_joins_a_group(const struct cache_op *op);
/* Runs a group of one or more ops, and empties it: with one apply, unless that fails for a reason
 * that may be one operation's; then each is tried alone. If it fails otherwise, all fail. */
void keeper_ops_write_group(struct keeper *keeper, struct op_queue *group);

/* Runs all others: CLEAR, CONFIGURE, SYNC, STATS. */
void keeper_ops_write(struct keeper *keeper, struct cache_op *op);

#endif
