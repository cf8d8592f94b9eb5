/* PUT in one request, which the name's hash signs. Any thread. */
#ifndef STEADYCACHE_LARGE_S3_PUT_H
#define STEADYCACHE_LARGE_S3_PUT_H

#include "backends/large/s3/state.h"

/* Header lines of an object that is put. */
#define S3_CONTENT_TYPE "Content-Type: application/octet-stream"

void s3_put(struct s3_store *store, struct object_request *request);

#endif
