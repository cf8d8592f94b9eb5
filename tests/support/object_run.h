/* Requests to an object store, and readers of bodies, of a thread that waits for them. Each waits
 * for a minute at most; then the program is aborted. */
#ifndef STEADYCACHE_TEST_OBJECT_RUN_H
#define STEADYCACHE_TEST_OBJECT_RUN_H

#include "backends/large/object_store.h"

typedef void object_start(struct object_store *store, struct object_request *request);

/* Its status, when it is done. */
enum cache_status object_run(struct object_store *store, object_start *start,
			     struct object_request *request);

/* Reads a body from `offset` on to its end or a failure. `take` (NULL: nobody) gets the bytes;
 * false: the reader is closed at once. Returns CACHE_OK, or the reader's failure with its sentence
 * in *ret_detail (NULL is allowed). */
enum cache_status object_read(struct cache_body *body, uint64_t offset, uint64_t len,
			      bool (*take)(void *user, const char *bytes, size_t len), void *user,
			      const char **ret_detail);

/* Hashes a file from its start to its end, into request->sha256 and len_bytes. */
void object_hash_file(int file, struct object_request *request);

#endif
