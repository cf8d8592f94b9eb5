/* Uses of entries of one namespace that the server has not been told yet, with hits and misses. I/O
 * thread. */
#ifndef STEADYCACHE_REDIS_USES_H
#define STEADYCACHE_REDIS_USES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct redis_use {
	struct redis_use *newer, *older; /* in the order of the last uses */
	struct redis_use *in_bucket;
	uint64_t count;
	int64_t last_us;
	uint64_t hash;
	size_t key_len;
	char key[];
};

/* Zeroed it is empty. */
struct redis_uses {
	struct redis_use *oldest, *newest;
	struct redis_use **buckets; /* NULL while empty */
	size_t count;               /* of keys */
	uint64_t hits, misses, stale_hits;
};

void redis_uses_deinit(struct redis_uses *uses);

bool redis_uses_are_none(const struct redis_uses *uses);

/* Counts a use at `now_us`, which never goes back. Without room for it the use is forgotten. */
void redis_uses_add(struct redis_uses *uses, struct slice key, int64_t now_us);

/* When the last of the uses of `key` was; 0: none is noted. */
int64_t redis_uses_last_us(const struct redis_uses *uses, struct slice key);

/* Moves the `max` oldest uses into `to`, which is empty, and all hits and misses. */
void redis_uses_take(struct redis_uses *uses, struct redis_uses *to, size_t max);

/* Adds the older uses of `from` and empties it. */
void redis_uses_put_back(struct redis_uses *uses, struct redis_uses *from);

#endif
