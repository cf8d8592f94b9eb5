/* Objects that no entry names but that are not removed yet: since when the sweep knows them so. An
 * entry in its stale time is in no listing, and other servers may still give away references that
 * they keep near.
 *
 * Bounded: what does not fit is not remembered, and so waits longer. One thread. */
#ifndef STEADYCACHE_LARGE_WAITING_H
#define STEADYCACHE_LARGE_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/body.h"

/* 4 MB, twice during a sweep. */
#define WAITING_MAX 262144

struct waiting_object {
	uint64_t mark; /* the first bytes of the hash */
	int64_t since_us;
};

struct waiting {
	struct waiting_object *former; /* of the sweep before, by mark */
	size_t former_count;
	struct waiting_object *now;
	size_t now_count, now_capacity;
};

void waiting_deinit(struct waiting *waiting);

/* Whether the object has been known as unnamed since before `before_us`; otherwise it is noted, as
 * of `now_us` if it is new. Times are monotonic. */
bool waiting_is_over(struct waiting *waiting, const uint8_t sha256[SHA256_BYTES], int64_t now_us,
		     int64_t before_us);
/* At the end of a sweep: forgets what was not asked for in it. After one that `failed`, keeps the
 * former as well. */
void waiting_turn(struct waiting *waiting, bool failed);

#endif
