/* PUT in parts, for what is larger than one. Any thread.
 *
 *   begin ──▶ parts, LANES at a time, each hashed and then sent ──▶ complete ──▶ done
 *                │ one failed for good                                │ no answer: look whether
 *                ▼                                                    ▼ the object is there
 *             abort ──▶ (nobody waits for it)
 *
 * Hashing goes on in steps of a timer, so that other requests are not held up by a part of 64 MiB.
 *
 * Invariants:
 *  1. At most LANES parts are hashed or sent, each from its own range of the file.
 *  2. An upload that has an id is completed or aborted, unless the process dies (leftovers.h).
 *  3. A completion is a success only if its answer says so, or the object is there afterwards:
 *     the answer 200 comes before the store has put the parts together, and may hold an error. */
#ifndef STEADYCACHE_LARGE_S3_MULTIPART_H
#define STEADYCACHE_LARGE_S3_MULTIPART_H

#include "backends/large/s3/state.h"

void s3_multipart_put(struct s3_store *store, struct object_request *request);

#endif
