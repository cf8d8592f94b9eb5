/* What a redis backend has beside the engine below it; context->user. I/O thread, but for open and
 * close. */
#ifndef STEADYCACHE_REDIS_STATE_H
#define STEADYCACHE_REDIS_STATE_H

#include "backends/redis/clock.h"
#include "backends/redis/settings.h"
#include "backends/redis/space.h"
#include "backends/remote/protocol.h"
#include "store/rules.h"

#define REDIS_DEFAULT_POLICY EVICT_FRECENCY

struct redis_state {
	struct redis_settings settings;
	struct redis_spaces spaces;
	struct redis_clock clock;
	struct buffer names_key; /* of the list of namespaces, as a word of a command */
	int64_t look_us;         /* when housekeeping looks at the namespaces next; monotonic */
};

static inline struct redis_state *redis_state_of(const struct remote_context *context)
{
	return context->user;
}

static inline int64_t redis_state_mono_us(void)
{
	return cache_clock_now_us(&monotonic_clock);
}

/* The engine's time; by config->clock where a test moves that. */
static inline int64_t redis_state_now_us(const struct remote_context *context)
{
	if (context->config->clock)
		return cache_clock_now_us(context->config->clock);
	return redis_clock_there_us(&redis_state_of(context)->clock, redis_state_mono_us());
}

/* A clock for the ages of uses, which need not be the engine's. */
static inline int64_t redis_state_use_us(const struct remote_context *context)
{
	return context->config->clock ? cache_clock_now_us(context->config->clock)
				      : redis_state_mono_us();
}

static inline void redis_state_defaults(const struct remote_context *context, struct slice ns,
					struct namespace_settings *ret)
{
	rules_default_settings(context->config, REDIS_DEFAULT_POLICY, ns, ret);
}

#endif
