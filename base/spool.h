/* Where the bytes of a large value gather while they arrive, before anybody knows their hash or
 * even their length: at the end they are a body (body.h) that a SET may store.
 *
 * A spool belongs to one thread at a time. Its functions may wait for a disk, so no event loop
 * calls them, but for close. */
#ifndef STEADYCACHE_BASE_SPOOL_H
#define STEADYCACHE_BASE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/body.h"
#include "base/slice.h"

struct body_spool {
	const struct body_spool_ops *ops;
	uint64_t len_bytes;        /* written so far */
	enum cache_status failure; /* why `write` or `end` failed */
	const char *detail;        /* a sentence that lives as long as the backend; or NULL */
};

struct body_spool_ops {
	/* Appends a piece. False: it failed, and can only be closed. */
	bool (*write)(struct body_spool *spool, struct slice piece);
	/* All bytes have been written: a body of them, the caller's reference, which may outlive
	 * the spool. Once. NULL: it failed. */
	struct cache_body *(*end)(struct body_spool *spool);
	/* Frees the spool; bytes that are in no body are gone. Waits for nothing. */
	void (*close)(struct body_spool *spool);
};

#endif
