/* The bytes of a value that is too large to be in memory: somewhere else (a file, an object store),
 * immutable, of known length and hash, shared by reference count.
 *
 * A struct cache_value holds either its bytes or a body (cache_value_create_for_body). A body is
 * read by any number of readers at a time, each of which belongs to one thread at a time. */
#ifndef STEADYCACHE_BASE_BODY_H
#define STEADYCACHE_BASE_BODY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SHA256_BYTES 32

enum body_step {
	BODY_STEP_BYTES,  /* some bytes were read */
	BODY_STEP_WAIT,   /* none are there yet: `wake` will be called, once */
	BODY_STEP_END,    /* all have been read */
	BODY_STEP_FAILED, /* reader->failure and reader->detail say why; no more can be read */
};

struct body_reader {
	const struct body_reader_ops *ops;
	enum cache_status failure;
	const char *detail; /* a sentence that lives as long as the store of the body; or NULL */
};

struct body_reader_ops {
	/* Copies up to `size` (>= 1) of the next bytes to `room`, their number to *ret_len. Never
	 * waits. */
	enum body_step (*read)(struct body_reader *reader, char *room, size_t size,
			       size_t *ret_len);
	/* Frees the reader, at any time; `wake` is not called any more once it returns. */
	void (*close)(struct body_reader *reader);
};

struct cache_body {
	const struct cache_body_ops *ops;
	atomic_uint refs;
	uint64_t len_bytes;
	uint8_t sha256[SHA256_BYTES]; /* of the bytes; its first 16 are the ETag */
	uint8_t flags;                /* CACHE_VALUE_UTF8, CACHE_VALUE_JSON_PLAIN (value.h) */
};

struct cache_body_ops {
	/* Opens a reader of the bytes from `offset` (<= length) on, `len` of them. `wake` is called
	 * from any thread, with no lock of the store held, after a BODY_STEP_WAIT; it must not
	 * wait. Never waits. NULL: out of memory. */
	struct body_reader *(*open)(struct cache_body *body, uint64_t offset, uint64_t len,
				    void (*wake)(void *user), void *user);
	/* A descriptor of a regular file that holds exactly the bytes, for sendfile(2); the body's,
	 * to be used with offsets of one's own. -1: there is none. */
	int (*file)(struct cache_body *body);
	/* The last reference is gone. */
	void (*free)(struct cache_body *body);
};

/* Adds a reference; any thread. */
struct cache_body *cache_body_acquire(struct cache_body *body);
/* Drops a reference; the last one frees the body. NULL is allowed; any thread. */
void cache_body_release(struct cache_body *body);

#endif
