/* The namespaces that this server touches, with their partitions. I/O thread. */
#ifndef STEADYCACHE_REDIS_SPACE_H
#define STEADYCACHE_REDIS_SPACE_H

#include "backends/redis/due.h"
#include "backends/redis/part.h"

struct redis_space {
	struct redis_space *in_bucket;
	char name[NAMESPACE_MAX_LEN + 1];
	unsigned users;   /* commands under way that refer to one of its partitions */
	bool is_named;    /* the list of namespaces has it */
	int64_t named_us; /* when it was put there; monotonic */
	unsigned part_count;
	struct redis_part *parts[]; /* NULL: not touched yet */
};

/* For so long a server may create partitions of a namespace that it has put into the list: it may
 * have been dropped meanwhile. */
#define REDIS_NAMED_US (10 * US_PER_S)

static inline bool redis_space_is_named(const struct redis_space *space, int64_t now_us)
{
	return space->is_named && now_us - space->named_us < REDIS_NAMED_US;
}

#define REDIS_SPACES_BUCKETS 256

struct redis_spaces {
	/* As it was told; none changes. */
	const char *prefix; /* of all keys */
	bool is_cluster;
	unsigned part_count; /* of each namespace */

	struct redis_clock clock; /* of the server, if it is alone */
	struct redis_due due;
	size_t count;
	struct redis_space *buckets[REDIS_SPACES_BUCKETS];
};

void redis_space_deinit_all(struct redis_spaces *spaces);

/* The namespace `name`; NULL: out of memory. */
struct redis_space *redis_space_find(struct redis_spaces *spaces, struct slice name);

/* Partition `index` of it; NULL: out of memory. */
struct redis_part *redis_space_make_part(struct redis_spaces *spaces, struct redis_space *space,
					 unsigned index);
static inline struct redis_part *redis_space_part(struct redis_spaces *spaces,
						  struct redis_space *space, unsigned index)
{
	struct redis_part *part = space->parts[index];

	return part ? part : redis_space_make_part(spaces, space, index);
}

/* The partition after `part` (NULL: the first) of all that were touched; NULL: no more. */
struct redis_part *redis_space_next_part(const struct redis_spaces *spaces,
					 const struct redis_part *part);

/* Forgets the namespaces that nobody touched since `before_us` and that have nothing to tell. */
void redis_space_drop_idle(struct redis_spaces *spaces, int64_t before_us);

#endif
