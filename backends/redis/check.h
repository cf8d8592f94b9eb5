/* Whether a reply is one to its command, with all that it has to tell: checked before anything of
 * an answer is used. Then its parts. */
#ifndef STEADYCACHE_REDIS_CHECK_H
#define STEADYCACHE_REDIS_CHECK_H

#include "backends/redis/batch.h"

/* Codes of the script (script/10_model.lua). */
enum redis_code {
	CODE_OK = 0,
	CODE_ABSENT = 1,
	CODE_REFUSED = 2,
	CODE_TOO_LARGE = 3,
	CODE_TOO_MANY = 4,
	CODE_FULL = 5,
	CODE_MORE = 6,
	CODE_HELD = 7,
	CODE_FRESH = 8,
	CODE_LOST = 9,
	CODE_CREATED = 10,
};

/* Places in a reply of `stats`. */
enum redis_stats_place {
	STATS_MAX_SIZE = 2,
	STATS_CAPACITY,
	STATS_TTL,
	STATS_POLICY,
	STATS_STALE,
	STATS_MASK,
	STATS_COUNT,
	STATS_SIZE,
	STATS_USED,
	STATS_FREQUENCY_SUM,
	STATS_HITS,
	STATS_MISSES,
	STATS_STALE_HITS,
	STATS_SETS,
	STATS_DELETES,
	STATS_EVICTIONS,
	STATS_EXPIRATIONS,
	STATS_CREATED,
	STATS_MAX_IDLE,
	STATS_COMPRESSION,
	STATS_PUT_STATUS,
	STATS_MAX_FREQUENCY,
	STATS_PENDING,
	STATS_PLACES
};

/* True for an error, too. */
bool redis_check_reply(const struct redis_command *command, const struct redis_reply *reply);

/* Whether replies to commands of this kind tell the time in their second place. */
bool redis_check_has_time(enum redis_kind kind);

/* The number in place `i` of a reply that was checked. */
static inline int64_t redis_check_number(const struct redis_reply *reply, size_t i)
{
	return reply->elements[i].integer;
}

static inline int64_t redis_check_code(const struct redis_reply *reply)
{
	return reply->elements[0].integer;
}

#endif
