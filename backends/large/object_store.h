/* A store of objects: where the bytes of large values are. An object is named by the SHA-256 of its
 * bytes, so it never changes: putting it again changes its age only. Implementations: a directory
 * (dir.h), S3 (s3.h).
 *
 * Requests end by a call of `done`, exactly once, from a thread of the store or before the function
 * returns, with no lock of the store held; it must not wait. Nothing here waits for a disk or a
 * network, but for open and close of the store. Any thread. */
#ifndef STEADYCACHE_LARGE_OBJECT_STORE_H
#define STEADYCACHE_LARGE_OBJECT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/body.h"
#include "base/clock.h"
#include "base/pool.h"
#include "store/gauge.h"

struct object_store {
	const struct object_store_ops *ops;
	/* Other servers may put objects here too. */
	bool is_shared;
	/* The folder in which values are written down before they are put (spool_place.h), so that
	 * they can be renamed. NULL: somewhere else. */
	const char *spool_folder;
};

/* One object of a listing. */
struct object_info {
	uint8_t sha256[SHA256_BYTES];
	uint64_t len_bytes;
	int64_t put_at_us; /* when it was put last, by the clock of the store */
};

/* A request. It belongs to the store from the call to its `done`. */
struct object_request {
	/* in: PUT, REMOVE, OPEN */
	uint8_t sha256[SHA256_BYTES];
	/* in, PUT: a regular file with exactly the bytes, from offset 0; the caller's, read with
	 * pread, open and unchanged until `done`. */
	int file;
	/* in, PUT: path of that file, which the store may rename; in its spool_folder if it has
	 * one. */
	const char *path;
	uint64_t len_bytes; /* in, PUT, OPEN */

	/* in, REMOVE: only an object that was put last before that time, by the store's clock; else
	 * it stays, with CACHE_PRECONDITION_FAILED. */
	int64_t put_before_us;

	/* in, LIST: up to `max` objects in any order that lasts, those after the position of the
	 * previous answer; zeroed: from the start. */
	char position[1100]; /* in and out, a text */
	size_t max;
	struct object_info *objects; /* out; the caller's, of `max` */
	size_t object_count;
	bool complete;  /* out: nothing follows */
	int64_t now_us; /* out, LIST: the time of the store's clock */

	struct cache_body *body; /* out, OPEN: a reference, the caller's */

	enum cache_status status; /* out; CACHE_NOT_FOUND: there is no such object */
	const char *detail;       /* out: a sentence that lives as long as the store; or NULL */
	unsigned retry_after_s;   /* out: 0: unknown */

	void (*done)(struct object_request *request);
	void *user;
	/* The store's. */
	struct object_store *store;
	struct object_request *next;
	struct pool_job job;
};

struct object_store_ops {
	/* After `done` with CACHE_OK the object survives what the store survives; its put_at_us is
	 * now. CACHE_NO_SPACE and others: nothing is there that was not before. */
	void (*put)(struct object_store *store, struct object_request *request);
	/* A body of the object. A store may find out only when it is read that it is not there
	 * (a reader's failure CACHE_CORRUPT). Once a reader of it has given its first bytes it can
	 * be read to the end, removed or not. */
	void (*open)(struct object_store *store, struct object_request *request);
	/* CACHE_OK too if there is none. Of a PUT at the same time one takes effect after the
	 * other, as far as the store can see to that. */
	void (*remove)(struct object_store *store, struct object_request *request);
	void (*list)(struct object_store *store, struct object_request *request);
	/* Whether it can be used; the sentence in request->detail. */
	void (*check)(struct object_store *store, struct object_request *request);
	/* What was put survives the loss of power, too. NULL: it always does. */
	void (*sync)(struct object_store *store, struct object_request *request);
	/* Notes whose entries name the objects, if nobody has; false with a sentence if they are
	 * another's, whose objects a sweep would remove. Waits. NULL: it is not noted. */
	bool (*claim)(struct object_store *store, const char *owner, char *error,
		      size_t error_size);
	/* As those of a backend (store/backend.h). */
	size_t (*gauges)(struct object_store *store, struct backend_gauge *ret, size_t max);
	void (*hurry)(struct object_store *store);
	/* No request may be in progress and no body be open. */
	void (*close)(struct object_store *store);
};

#endif
