/* Housekeeping: each partition that this server touches is looked after within a second. What was
 * used is told, what has expired is swept, what an eviction has left to do is done. */
#ifndef STEADYCACHE_REDIS_HOUSE_H
#define STEADYCACHE_REDIS_HOUSE_H

#include "backends/redis/state.h"

/* remote_protocol.own_op */
struct cache_op *redis_house_own_op(const struct remote_context *context, int64_t now_us,
				    int64_t *ret_next_us);

/* Somebody asks for something of `part`. */
void redis_house_touched(const struct remote_context *context, struct redis_part *part,
			 int64_t now_us);
/* There are steps of `work` to do for it. */
void redis_house_has_work(const struct remote_context *context, struct redis_part *part);
/* Uses of it were noted. */
void redis_house_has_uses(const struct remote_context *context, struct redis_part *part);
/* An entry of it expires then (0: never). */
void redis_house_expires(const struct remote_context *context, struct redis_part *part,
			 int64_t expires_at_us);
/* A step was done: whether there is such a partition, more to do, and when something expires next
 * (0: nothing does). */
void redis_house_worked(const struct remote_context *context, struct redis_part *part,
			bool is_there, bool more, int64_t next_us);

#endif
