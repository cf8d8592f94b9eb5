/* REMOVE and CHECK: small requests. Any thread. */
#ifndef STEADYCACHE_LARGE_S3_SMALL_H
#define STEADYCACHE_LARGE_S3_SMALL_H

#include "backends/large/s3/state.h"

/* object_store_ops.remove: HEAD, and DELETE if the object is old enough. A PUT of this server comes
 * before or after both; one of another server between the two is removed with the object, which
 * the layer's grace is for. */
void s3_small_remove(struct object_store *store, struct object_request *request);
/* object_store_ops.check: a listing of one name. */
void s3_small_check(struct object_store *store, struct object_request *request);

#endif
