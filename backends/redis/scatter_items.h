/* Batches over several partitions. */
#ifndef STEADYCACHE_REDIS_SCATTER_ITEMS_H
#define STEADYCACHE_REDIS_SCATTER_ITEMS_H

#include "store/backend.h"

/* Submits a GET, SET, DELETE or EXISTS of any number of items of a namespace of `part_count`
 * partitions. All of a partition's items are stored or none; if some partitions fail, a SET or
 * DELETE ends with the status of a failed item, and the items tell their own
 * (cache_op_complete_partly). A GET or EXISTS fails as a whole. */
void redis_scatter_items(struct backend *backend, struct cache_op *op, unsigned part_count);

#endif
