/* The second look at what has been stored. A write that reaches the source between the reading of
 * an entry and the storing of its copy is older than that copy, so no later run would bring it. So
 * the source is looked at again after the storing; what is written there after this look is newer
 * than the copy, if the clocks agree, and comes with the next run. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_AGAIN_H
#define STEADYCACHE_CLIENT_MIGRATE_AGAIN_H

#include "client/migrate/end.h"

/* Whether there is anything to look for. */
bool migrate_again_is_needed(const struct migrate_source *source, const struct migrate_sink *sink);

/* After `batch` has been put: brings those of its stored entries that have changed at the source,
 * which stay in the batch as they are stored last. A version in the sink that is not this run's
 * stays. Those that change time and again are counted in batch->changed. False: as put; the same
 * call may be repeated. */
bool migrate_again(struct migrate_source *source, struct migrate_sink *sink,
		   struct migrate_batch *batch, struct migrate_failure *failure);

#endif
