/* A partition of a namespace: its keys, what this server has to tell of it, its housekeeping. A
 * server that is alone has one of each namespace. I/O thread. */
#ifndef STEADYCACHE_REDIS_PART_H
#define STEADYCACHE_REDIS_PART_H

#include "backends/redis/clock.h"
#include "backends/redis/uses.h"
#include "base/buffer.h"
#include "store/backend.h"

/* The keys of a partition (script/10_model.lua), as a read needs them. */
enum redis_key { KEY_VALUES = 1, KEY_HEADS = 2, REDIS_KEYS = 12 };

struct redis_space;

struct redis_part {
	struct redis_space *space;
	unsigned index;
	unsigned route;            /* remote_request.route of its keys */
	struct redis_clock *clock; /* of the server that has it */
	struct redis_clock own_clock;

	struct buffer keys;      /* all, as words of a command */
	struct slice key_first;  /* of them: m */
	struct slice key_values; /* of them */
	struct slice key_heads;  /* of them */

	struct redis_uses uses; /* not told yet */
	bool has_uses;
	int64_t uses_since_us; /* when the oldest of them came; monotonic */
	int64_t touched_us;    /* monotonic */
	int64_t stale_ttl_s;   /* as it was at refreshed_us (monotonic; 0: never) */
	int64_t max_idle_s;    /* the same */
	int64_t refreshed_us;

	/* Housekeeping (house.c). */
	struct cache_op *op;   /* under way; malloc'ed */
	bool has_work;         /* steps of `work` are due now */
	int64_t expiry_us;     /* when something expires, of the engine's clock; 0: nothing known */
	int64_t worked_us;     /* when the last step was taken; monotonic */
	int64_t not_before_us; /* the last one failed */
	int64_t due_us;        /* when it is looked at, if it has a place */
	size_t due_place;      /* in the heap of due.h, from 1; 0: none */
};

/* What was told of the settings at `now_us`. */
static inline void redis_part_learn(struct redis_part *part, int64_t stale_ttl_s,
				    int64_t max_idle_s, int64_t now_us)
{
	part->stale_ttl_s = stale_ttl_s;
	part->max_idle_s = max_idle_s;
	part->refreshed_us = now_us;
}

/* Of a server that is alone (`is_cluster` false), whose clock `shared` is, or of a Cluster. NULL:
 * out of memory. */
struct redis_part *redis_part_create(struct redis_space *space, const char *prefix, unsigned index,
				     bool is_cluster, struct redis_clock *shared);
/* It must have no place among those that are due. NULL is fine. */
void redis_part_free(struct redis_part *part);

#endif
