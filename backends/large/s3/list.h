/* LIST: pages of ListObjectsV2. Any thread. */
#ifndef STEADYCACHE_LARGE_S3_LIST_H
#define STEADYCACHE_LARGE_S3_LIST_H

#include "backends/large/s3/state.h"

/* object_store_ops.list. The position is "k" and the last name seen, of ours or not; or "t" and the
 * store's own token, of a page without names. */
void s3_list(struct object_store *store, struct object_request *request);

#endif
