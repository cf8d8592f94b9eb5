/* The namespaces that this server touches: what it knows of each, and what it has to tell of it.
 * I/O thread. */
#ifndef STEADYCACHE_REDIS_SPACE_H
#define STEADYCACHE_REDIS_SPACE_H

#include "backends/redis/uses.h"
#include "base/buffer.h"
#include "store/backend.h"

/* The keys of a partition (script/10_model.lua), as a read needs them. */
enum redis_key { KEY_VALUES = 1, KEY_HEADS = 2, REDIS_KEYS = 11 };

struct redis_spaces;

struct redis_space {
	struct redis_space *in_bucket;
	char name[NAMESPACE_MAX_LEN + 1];
	struct buffer keys;      /* all, as words of a command */
	struct slice key_values; /* of them */
	struct slice key_heads;  /* of them */
	unsigned users;          /* commands under way that refer to it */
	bool is_named;           /* the list of namespaces has it */
	int64_t named_us;        /* when it was put there; monotonic */
	struct redis_uses uses;  /* not told yet */
	bool has_uses;
	int64_t uses_since_us; /* when the oldest of them came; monotonic */
	int64_t touched_us;    /* monotonic */
	int64_t stale_ttl_s;   /* as it was at refreshed_us (monotonic; 0: never) */
	int64_t refreshed_us;

	/* Housekeeping (house.c). */
	struct cache_op op; /* while is_running */
	bool is_running;
	bool has_work;         /* steps of `work` are due now */
	int64_t expiry_us;     /* when something expires, of the engine's clock; 0: nothing known */
	int64_t worked_us;     /* when the last step was taken; monotonic */
	int64_t not_before_us; /* the last one failed */
};

#define REDIS_SPACES_BUCKETS 256

struct redis_spaces {
	const char *prefix; /* of all keys */
	size_t count;
	struct redis_space *buckets[REDIS_SPACES_BUCKETS];
};

void redis_space_deinit_all(struct redis_spaces *spaces);

/* The namespace `name`; NULL: out of memory. */
struct redis_space *redis_space_find(struct redis_spaces *spaces, struct slice name);

/* The one after `space` (NULL: the first); NULL: no more. */
struct redis_space *redis_space_next(const struct redis_spaces *spaces,
				     const struct redis_space *space);

/* Forgets those that nobody touched since `before_us` and that have nothing to tell. */
void redis_space_drop_idle(struct redis_spaces *spaces, int64_t before_us);

#endif
