/* A body in a file: of an object in a directory, or of a value that is about to be put. */
#ifndef STEADYCACHE_LARGE_FILE_BODY_H
#define STEADYCACHE_LARGE_FILE_BODY_H

#include "base/body.h"
#include "base/pool.h"

struct file_body_parts {
	int file; /* open for reading; exactly the bytes */
	/* Removed with the body, if something is there by then; copied. NULL: nothing is. */
	const char *path;
	uint64_t len_bytes;
	const uint8_t *sha256;
	uint8_t flags; /* of cache_body */
};

/* Takes the file over. `pool` reads for readers what is not in the system's cache, and closes the
 * file; it must live longer than the body. NULL: out of memory, and the file is the caller's. */
struct cache_body *file_body_create(struct pool *pool, const struct file_body_parts *parts);

/* The path of a body that has one, for the first who asks: only one may rename the file. Else, and
 * if the body was made elsewhere, NULL. Any thread. */
const char *file_body_take_path(struct cache_body *body);

#endif
