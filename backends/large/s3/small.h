/* REMOVE and CHECK: small requests. Any thread. */
#ifndef STEADYCACHE_LARGE_S3_SMALL_H
#define STEADYCACHE_LARGE_S3_SMALL_H

#include "backends/large/s3/state.h"

/* object_store_ops.remove: a marker, HEAD, and DELETE if the object is old enough. A PUT comes
 * before or after it, also one of another server (marker.h). */
void s3_small_remove(struct object_store *store, struct object_request *request);
/* object_store_ops.check: a listing of one name. */
void s3_small_check(struct object_store *store, struct object_request *request);

#endif
