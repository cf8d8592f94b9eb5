/* Compares a batch with what a sink has. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_COMPARE_H
#define STEADYCACHE_CLIENT_MIGRATE_COMPARE_H

#include "client/migrate/end.h"

/* As `work` of an engine: MERGE_STORED is an entry that is the same there, MERGE_FAILED one that
 * differs or is missing, with a detail. What has expired meanwhile is as good as the same. */
bool migrate_compare_work(struct migrate_sink *sink, struct migrate_batch *batch,
			  struct migrate_failure *failure);

#endif
