/* What a redis backend has beside the engine below it; context->user. I/O thread, but for open and
 * close. */
#ifndef STEADYCACHE_REDIS_STATE_H
#define STEADYCACHE_REDIS_STATE_H

#include "backends/redis/figures.h"
#include "backends/redis/news.h"
#include "backends/redis/refusal.h"
#include "backends/redis/settings.h"
#include "backends/redis/share.h"
#include "backends/redis/space.h"
#include "backends/remote/protocol.h"
#include "store/rules.h"

#define REDIS_DEFAULT_POLICY EVICT_FRECENCY

struct redis_state {
	struct redis_settings settings;
	struct redis_spaces spaces;
	struct redis_news news;
	struct redis_figures figures;
	struct buffer names_key; /* of the list of namespaces, as a word of a command */
	unsigned names_route;
	struct redis_refusals refusals;
	struct backend *backend; /* once it is open */

	/* Of a Cluster (claim.h). */
	struct buffer partitions_key; /* as names_key */
	unsigned partitions_route;
	bool is_claimed;    /* the data have as many partitions as we do */
	bool is_refused;    /* they have another number, and the owner was told */
	int64_t claimed_us; /* monotonic */
	int64_t tidy_us;    /* when idle namespaces are looked for next; monotonic */
};

static inline struct redis_state *redis_state_of(const struct remote_context *context)
{
	return context->user;
}

static inline int64_t redis_state_mono_us(void)
{
	return cache_clock_now_us(&monotonic_clock);
}

/* The time of the engine that has `part`; by config->clock where a test moves that. */
static inline int64_t redis_state_now_us(const struct remote_context *context,
					 const struct redis_part *part)
{
	if (context->config->clock)
		return cache_clock_now_us(context->config->clock);
	return redis_clock_there_us(part->clock, redis_state_mono_us());
}

/* The engine's time as a set is given it; 0: it is not known well enough. */
static inline int64_t redis_state_told_us(const struct remote_context *context,
					  const struct redis_part *part)
{
	if (!context->config->clock && part->clock->error_us > US_PER_S / 50)
		return 0;
	return redis_state_now_us(context, part);
}

/* A clock for the ages of uses, which need not be the engine's. */
static inline int64_t redis_state_use_us(const struct remote_context *context)
{
	return context->config->clock ? cache_clock_now_us(context->config->clock)
				      : redis_state_mono_us();
}

/* cache_op.part of operations on `part`. */
static inline unsigned redis_state_op_part(const struct remote_context *context,
					   const struct redis_part *part)
{
	return redis_state_of(context)->spaces.is_cluster ? part->index + 1 : 0;
}

/* The settings of a partition that nobody configured: its share of the limits. */
static inline void redis_state_defaults(const struct remote_context *context,
					const struct redis_part *part,
					struct namespace_settings *ret)
{
	rules_default_settings(context->config, REDIS_DEFAULT_POLICY, slice_of(part->space->name),
			       ret);
	redis_share_out(ret, part->index, part->space->part_count);
}

#endif
