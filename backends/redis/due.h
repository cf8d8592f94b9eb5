/* Partitions in the order in which they are to be looked after: a heap. I/O thread. */
#ifndef STEADYCACHE_REDIS_DUE_H
#define STEADYCACHE_REDIS_DUE_H

#include "backends/redis/part.h"

/* A zeroed one is empty. */
struct redis_due {
	struct redis_part **parts; /* parts[i] has due_place i + 1 */
	size_t count, capacity;
};

/* It must be empty. */
void redis_due_deinit(struct redis_due *due);

/* Gives `part` the place of that time, instead of the one that it may have. Without memory for a
 * place it has none. */
void redis_due_put(struct redis_due *due, struct redis_part *part, int64_t at_us);
/* Takes `part` out, if it is there. */
void redis_due_remove(struct redis_due *due, struct redis_part *part);

/* The one that is due first; NULL: there is none. */
static inline struct redis_part *redis_due_first(const struct redis_due *due)
{
	return due->count > 0 ? due->parts[0] : NULL;
}

#endif
