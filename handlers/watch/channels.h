/* The channels of a hub: one for each namespace that is watched, or was a moment ago. */
#ifndef STEADYCACHE_HANDLERS_CHANNELS_H
#define STEADYCACHE_HANDLERS_CHANNELS_H

#include "handlers/watch/hub_state.h"

/* The bucket of the channel of `ns`; its lock is the channel's. */
struct watch_bucket *watch_channels_bucket(struct watch_hub *hub, struct slice ns);

/* With the bucket's lock; NULL: there is none. */
struct watch_channel *watch_channels_find(const struct watch_bucket *bucket, struct slice ns);
/* Nobody watches it yet. With the bucket's lock; NULL: out of memory. */
struct watch_channel *watch_channels_create(struct watch_hub *hub, struct watch_bucket *bucket,
					    struct slice ns);

/* Frees the channels that nobody needs any more. Only the hub's thread, which so may use any
 * without a lock. */
void watch_channels_tidy(struct watch_hub *hub, int64_t now_us);
/* Frees all of them. Nobody watches or tells. */
void watch_channels_deinit(struct watch_hub *hub);

#endif
