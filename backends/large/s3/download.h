/* Bodies of objects, and their readers. Any thread.
 *
 * A reader has a ring of RING_BYTES between the store's thread, which fills it, and its own, which
 * empties it. A full ring pauses the transfer; one that stands still while others wait for a
 * connection gives its own up. A transfer that broke off, or gave up, goes on by a request for the
 * rest, for as long as the store's time lasts without a byte.
 *
 * What is checked: the length of every answer; the SHA-256 of a reader of the whole, whose last
 * bytes are held back until it is right. The bytes of a part cannot be checked. */
#ifndef STEADYCACHE_LARGE_S3_DOWNLOAD_H
#define STEADYCACHE_LARGE_S3_DOWNLOAD_H

#include "backends/large/s3/state.h"

/* object_store_ops.open; asks nobody. */
void s3_download_open(struct object_store *store, struct object_request *request);

#endif
