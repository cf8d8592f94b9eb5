/* Listings of several partitions, each in byte order, as one. Pure. */
#ifndef STEADYCACHE_REDIS_MERGE_H
#define STEADYCACHE_REDIS_MERGE_H

#include "store/op.h"

/* What came of a partition. */
struct redis_run {
	struct cache_entry_info *entries; /* malloc'ed */
	size_t count;
	size_t at;     /* those before it have been moved */
	bool complete; /* nothing follows the last one */
};

enum redis_merge_end {
	MERGE_DONE,       /* the listing is as long as it may be, or complete */
	MERGE_NEEDS_MORE, /* a run that is not complete has come to its end */
	MERGE_NO_MEMORY,
};

/* Frees the entries that were not moved. */
void redis_merge_free_runs(struct redis_run *runs, size_t count);

/* Whether it depends on `run` what comes next. */
static inline bool redis_merge_lacks(const struct redis_run *run)
{
	return run->at == run->count && !run->complete;
}

/* Moves entries from the runs to op->entries, in byte order, up to the limits of `op`, a SCAN. Sets
 * op->complete. */
enum redis_merge_end redis_merge(struct redis_run *runs, size_t count, struct cache_op *op);

#endif
