/* The bytes of a body as a value in memory. */
#ifndef STEADYCACHE_LARGE_WHOLE_H
#define STEADYCACHE_LARGE_WHOLE_H

#include "base/pool.h"
#include "base/value.h"

/* A body on its way into memory. */
struct whole {
	/* in */
	struct cache_body *body;   /* the caller's reference, until `done` */
	struct cache_value *value; /* of the body's length, unsealed; the caller's */
	struct pool *pool;         /* copies and hashes */
	void (*done)(struct whole *whole);
	void *user;

	/* out: CACHE_CORRUPT also if the bytes are others than the body's hash says */
	enum cache_status status;
	const char *detail;

	struct body_reader *reader;
	size_t at;
	struct pool_job job;
};

/* Reads all bytes and checks their hash; then `done`, on any thread, perhaps before this
 * returns. */
void whole_read(struct whole *whole);

#endif
